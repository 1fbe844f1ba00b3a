"""What the worklist says of a patch, in words: the same for its row and for its picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from her2core.common.text import percent
from her2core.models.architectures import ARCHITECTURES
from her2core.models.assessable import assess_tumour
from her2core.models.verdict import Verdict
from her2core.people.access import Desk
from her2core.preprocessing.patches import is_remark
from her2core.reviews.double_reads import Plan
from her2core.reviews.records import WorklistItem
from her2core.reviews.worklist import model_gap, reader_gap, unfamiliar
from her2core.stain.reading import StainReading

HIDDEN = "hidden"
_GAPS = {0: "agree", 1: "one grade", 2: "two grades", 3: "three grades"}
_TASKS = {"single": "given to you", "double": "double read", "adjudication": "adjudicated by you"}
_STAGES = {
    "reading": "double read",
    "agreed": "double read, both agree",
    "disagreed": "double read, to be adjudicated",
    "adjudicated": "double read, adjudicated",
}


@dataclass(frozen=True)
class Row:
    """A patch in words; an empty one says nothing.

    Attributes:
        sha256: of the patch.
        name: told apart from those of others; foreign text.
        reviewed: by this person.
        task: see `task`.
        scores: of each reader, by the reader's name.
        model_gap, reader_gap, unfamiliar, assessable, confidence: what makes it doubtful.
        label: the score a table named.
        case: slide or case; foreign text.
        warnings: about its quality; what its file is called is none.
        received_at: UTC.
    """

    sha256: str
    name: str
    reviewed: bool
    task: str
    scores: dict[str, str]
    model_gap: str
    reader_gap: str
    unfamiliar: str
    assessable: str
    confidence: str
    label: str
    case: str
    warnings: tuple[str, ...]
    received_at: datetime

    @property
    def state(self) -> str:
        """In two words at most."""
        return "reviewed" if self.reviewed else "to review"


def says(item: WorklistItem) -> bool:
    """Whether its row tells what a second reader, the stain measurement among them, says."""
    return bool(item.verdicts) or item.stain is not None or item.patch.label is not None


def task(desk: Desk, plan: Plan, sha256: str) -> str:
    """What this person is asked for with the patch; empty for a patch that is everybody's."""
    if desk.sight(sha256, plan).adjudicates is not None:
        return "adjudicate"
    kind = plan.kind(sha256, desk.identity.name)
    read = plan.double_reads.get(sha256)
    if kind == "double" and read is not None:
        return _STAGES[read.stage]
    return _TASKS[kind] if kind else ""


def row_of(item: WorklistItem, name: str, task: str, hidden: bool) -> Row:
    """The patch in words; `hidden` is what nobody may know who reads it blind."""
    patch = item.patch
    verdicts = () if hidden else item.verdicts
    stain = None if hidden else item.stain
    by_name = {verdict.architecture: verdict for verdict in verdicts}
    unsure = min((verdict.confidence for verdict in verdicts), default=None)
    # verdicts and measurement are of the centred square where all have read it
    tumour = assess_tumour(verdicts, stain, min(patch.width, patch.height))

    def told(text: str) -> str:
        return HIDDEN if hidden else text

    def score(architecture: str) -> str:
        if not tumour.assessable:
            return "no score"
        return _score(by_name.get(architecture), architecture in item.earlier)

    return Row(
        sha256=patch.sha256,
        name=name,
        reviewed=item.review_id is not None,
        task=task,
        scores={
            **{one.title: told(score(one.name)) for one in ARCHITECTURES.values()},
            "Stain": told(_stain(stain)),
        },
        model_gap=told(_gap(model_gap(verdicts))),
        reader_gap=told(_gap(reader_gap(verdicts, stain))),
        unfamiliar=told("unfamiliar" if unfamiliar(verdicts) else ""),
        assessable=told("" if tumour.assessable else "no"),
        confidence=told("" if unsure is None else percent(unsure)),
        label="" if patch.label is None else told(patch.label.label),
        case=patch.slide_or_case,
        warnings=tuple(one for one in patch.warnings if not is_remark(one)),
        received_at=patch.received_at,
    )


def _score(verdict: Verdict | None, earlier: bool) -> str:
    if verdict is not None:
        return verdict.score.label
    return "earlier model" if earlier else "waiting"


def _stain(stain: StainReading | None) -> str:
    if stain is None:
        return "waiting"
    return "no score" if stain.score is None else stain.score.label


def _gap(grades: int | None) -> str:
    return "" if grades is None else _GAPS[grades]
