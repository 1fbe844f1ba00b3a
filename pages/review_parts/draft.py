"""The reviewer's unsaved answer to a patch: kept per patch while moving around in a session."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

import streamlit as st

from her2core.patches import Square
from her2core.reviews.records import Confidence, Review
from her2core.scores import HER2Score
from pages import ui


@dataclass
class Draft:
    """What has been answered so far.

    Attributes:
        token: goes with the save, so that a doubled key press records one review.
        square: the part of the image chosen by the reviewer; None for the centred square.
        correcting: id of the review which this draft corrects, None for a first review.
        opened: monotonic time at which the patch came up last; 0 while another one is shown.
    """

    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    score: HER2Score | None = None
    agrees: dict[str, bool] = field(default_factory=dict)
    confidence: Confidence = "medium"
    comment: str = ""
    square: Square | None = None
    correcting: int | None = None
    opened: float = 0.0
    seconds: float = 0.0

    def time_spent(self) -> float:
        """Seconds for which this patch was in front of the reviewer."""
        running = time.monotonic() - self.opened if self.opened else 0.0
        return self.seconds + running


def draft_of(sha256: str) -> Draft:
    """The draft for this patch by the present reviewer; begun when there is none.

    What was answered before the name was given goes to the first name given.
    """
    drafts = _drafts()
    key = (ui.reviewer(), sha256)
    if key not in drafts:
        nameless = ("", sha256)
        drafts[key] = drafts.pop(nameless) if nameless in drafts else Draft()
    return drafts[key]


def opened(sha256: str) -> Draft:
    """The draft of the patch now in front; the clocks of all others stand still."""
    current = draft_of(sha256)
    now = time.monotonic()
    for draft in _drafts().values():
        if draft is not current and draft.opened:
            draft.seconds += now - draft.opened
            draft.opened = 0.0
    if not current.opened:
        current.opened = now
    return current


def discard(sha256: str) -> None:
    """Forget the draft, because it is recorded or given up."""
    _drafts().pop((ui.reviewer(), sha256), None)


def begin_correction(review: Review) -> None:
    """A draft that starts from a recorded review and is going to supersede it."""
    _drafts()[(ui.reviewer(), review.patch.sha256)] = Draft(
        score=review.own_score,
        agrees={name: value for name, value in review.agrees.items() if value is not None},
        confidence=review.confidence,
        comment=review.comment,
        square=review.square,
        correcting=review.id,
    )


def _drafts() -> dict[tuple[str, str], Draft]:
    drafts: dict[tuple[str, str], Draft] = st.session_state.setdefault("drafts", {})
    return drafts
