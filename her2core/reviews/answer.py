"""What a reviewer answers to a patch: its fields, and what each may hold.

Drafts, reviews, entries of the chain, studies and unsaved answers are all an `Answer` and more, and
take its fields as a whole. A new field has the default None (not answered): what was recorded
before has none. Its column is in schema.py, the version of its hash in chain.py, what it means in
columns.py; the form is pages/review_parts/answer.py.
"""

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any, Literal, get_args

from her2core.common.text import storable
from her2core.reviews.errors import ReviewRefusedError
from her2core.scores import LABELS_TEXT, HER2Score

Confidence = Literal["low", "medium", "high"]
MAX_COMMENT = 4000


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the reviewer says of a patch, complete or only begun.

    Attributes:
        own_score: the reviewer's own score; None while it is not chosen.
        confidence: how sure the reviewer is of it.
        comment: free text, at most 4,000 characters; may name a patient.
    """

    own_score: HER2Score | None
    confidence: Confidence
    comment: str = ""


FIELDS = tuple(field.name for field in fields(Answer))
# what a form starts with; no score is chosen for anybody
BLANK = Answer(own_score=None, confidence="medium")


def values_of(record: Any) -> dict[str, Any]:
    """The answer's fields of a record or a row, by name, as plain values for a database or JSON."""
    return {name: _plain(getattr(record, name)) for name in FIELDS}


def answer_of(record: Answer) -> Answer:
    """The answer alone, of whatever holds one."""
    return Answer(**{name: getattr(record, name) for name in FIELDS})


def trimmed(record: Answer) -> Answer:
    """The answer without blanks around the comment: to tell whether two say the same."""
    answer = answer_of(record)
    return replace(answer, comment=answer.comment.strip())


def check_answer(answer: Answer) -> None:
    """Check each field before it is recorded.

    Raises:
        ReviewRefusedError: the first that is missing or cannot be stored.
    """
    if not isinstance(answer.own_score, HER2Score):
        raise ReviewRefusedError(f"Choose your own score ({LABELS_TEXT}) before saving.")
    if answer.confidence not in get_args(Confidence):
        raise ReviewRefusedError("Choose how sure you are (low, medium or high) before saving.")
    if len(answer.comment) > MAX_COMMENT:
        raise ReviewRefusedError(
            f"The comment has {len(answer.comment):,} characters; shorten it to {MAX_COMMENT:,}."
        )
    if not storable(answer.comment):
        raise ReviewRefusedError(
            "The comment holds a character that cannot be stored; remove it and save again."
        )


def _plain(value: Any) -> Any:
    # database drivers take numbers, not scores
    return int(value) if isinstance(value, IntEnum) else value
