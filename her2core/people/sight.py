"""What one person may see and answer of a patch, by their role and the plan. Pure functions."""

from dataclasses import dataclass

from her2core.accounts.records import Identity, Permission
from her2core.reviews.double_reads import DoubleRead, Plan


@dataclass(frozen=True)
class Sight:
    """What one person may see of a patch now.

    Attributes:
        verdicts: the models' verdicts and heat maps.
        sentence: why something is hidden, or what this person is asked for; empty otherwise.
        adjudicates: the double read whose disagreement this person is to decide.
    """

    verdicts: bool = True
    sentence: str = ""
    adjudicates: DoubleRead | None = None


def sight_of(person: Identity, plan: Plan, sha256: str) -> Sight:
    """What this person may see of the patch."""
    read = plan.double_reads.get(sha256)
    if read is None:
        return Sight()
    if read.sealed and person.name in read.readers:
        answered = person.name in read.answers
        rest = "when the other reader has answered, too" if answered else "when both are in"
        if read.blind:
            return Sight(False, f"Blind double read: verdicts and answers are shown {rest}.")
        return Sight(True, f"Double read: the other reader's answer is shown {rest}.")
    return Sight(adjudicates=to_adjudicate(person, plan, sha256))


def is_theirs(person: Identity, plan: Plan, sha256: str) -> bool:
    """Whether the patch is this person's to read, or to adjudicate."""
    return (
        plan.is_free(sha256)
        or plan.kind(sha256, person.name) in ("single", "double")
        or to_adjudicate(person, plan, sha256) is not None
    )


def to_adjudicate(person: Identity, plan: Plan, sha256: str) -> DoubleRead | None:
    """The double read of this patch if its disagreement is this person's to decide."""
    read = plan.double_reads.get(sha256)
    if read is None or not person.may(Permission.ADJUDICATE) or person.name in read.readers:
        return None
    if read.stage == "disagreed" and (person.name, sha256) not in plan.reviewed:
        return read
    return read if read.adjudicator == person.name and read.stage != "reading" else None
