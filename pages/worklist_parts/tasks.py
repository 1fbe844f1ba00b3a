"""What a person is asked for with a patch, in a word or two."""

from her2core.people.access import Desk
from her2core.people.double_reading import Plan

_TASKS = {"single": "given to you", "double": "double read", "adjudication": "adjudicated by you"}
_STAGES = {
    "reading": "double read",
    "agreed": "double read, both agree",
    "disagreed": "double read, to be adjudicated",
    "adjudicated": "double read, adjudicated",
}


def task(desk: Desk, plan: Plan, sha256: str) -> str:
    """The task, empty for a patch that is everybody's."""
    if desk.sight(sha256, plan).adjudicates is not None:
        return "adjudicate"
    kind = plan.kind(sha256, desk.identity.name)
    read = plan.double_reads.get(sha256)
    if kind == "double" and read is not None:
        return _STAGES[read.stage]
    return _TASKS[kind] if kind else ""
