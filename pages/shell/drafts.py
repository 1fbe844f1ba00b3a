"""Unsaved answers: what one holds, and what concerns all of a session, on whatever page it is.

Which is whose and for which patch: pages/review_parts/draft.py.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews.answer import BLANK, Answer, trimmed
from her2core.reviews.unsaved import Judged, UnsavedAnswer


def new_token() -> str:
    """Goes with a save, so that a doubled key press records one review."""
    return uuid.uuid4().hex


@dataclass
class Draft:
    """What has been answered so far.

    Attributes:
        token: goes with the save, so that a doubled key press records one review.
        answer: the fields of the form.
        judged: architecture -> what was said of its verdict.
        square: the part of the image chosen by the reviewer; None for the centred square.
        correcting: id of the review which this draft corrects, None for a first review.
        overtaken: another correction of that review was saved meanwhile; `correcting` is its id.
        before: what a correction started from; None for a first review, and for an answer that
            became a correction.
        asked: the contradiction that a save was last refused for: saved again, it is meant.
        opened: monotonic time at which the patch came up last; 0 while another one is shown.
        kept: what the database holds of it; None where it holds nothing.
    """

    token: str = field(default_factory=new_token)
    answer: Answer = BLANK
    judged: dict[str, Judged] = field(default_factory=dict)
    square: Square | None = None
    correcting: int | None = None
    overtaken: bool = False
    before: tuple[object, ...] | None = None
    asked: str = ""
    opened: float = 0.0
    seconds: float = 0.0
    kept: UnsavedAnswer | None = None

    def change(self, **changed: Any) -> None:
        """Answer these fields anew."""
        self.answer = replace(self.answer, **changed)

    @property
    def content(self) -> tuple[object, ...]:
        """All that is answered, to be compared."""
        return trimmed(self.answer), frozenset(self.judged.items()), self.square

    @property
    def begun(self) -> bool:
        """Whether it holds an answer that is recorded nowhere."""
        if self.before is not None:
            return self.content != self.before
        return trimmed(self.answer) != BLANK or bool(self.judged)

    @property
    def to_keep(self) -> UnsavedAnswer | None:
        """What is to outlive this session: an answer, or the square chosen for one; or nothing."""
        if not self.begun and (self.before is not None or self.square is None):
            return None
        return UnsavedAnswer(
            **vars(self.answer),
            token=self.token,
            judged=dict(self.judged),
            square=self.square,
            correcting=self.correcting,
            overtaken=self.overtaken,
            from_review=self.before is not None,
            seconds=self.time_spent(),
        )

    @property
    def lost(self) -> bool:
        """Whether a reload would lose anything: what the database does not hold."""
        answer = self.to_keep
        return answer is not None and answer != self.kept

    def time_spent(self) -> float:
        """Seconds for which this patch was in front of the reviewer."""
        running = time.monotonic() - self.opened if self.opened else 0.0
        return self.seconds + running

    def agrees(self, square: Square, verdicts: Sequence[Verdict]) -> dict[str, bool]:
        """Architecture -> answer to its verdict, where the answer was about this very verdict.

        Another bundle or another square gives another verdict, which nobody has judged yet.
        """
        return {
            verdict.architecture: judgement.agrees
            for verdict in verdicts
            if (judgement := self.judged.get(verdict.architecture)) is not None
            and (judgement.square, judgement.model_id) == (square, verdict.model_id)
        }

    def left_behind(self, square: Square, verdicts: Sequence[Verdict]) -> list[str]:
        """Architectures of these verdicts whose answer was about another verdict than this."""
        standing = self.agrees(square, verdicts)
        names = [verdict.architecture for verdict in verdicts]
        return [name for name in names if name in self.judged and name not in standing]


def all_drafts() -> dict[tuple[str, str], Draft]:
    """All drafts of this session: (reviewer, sha256) -> draft."""
    drafts: dict[tuple[str, str], Draft] = st.session_state.setdefault("drafts", {})
    return drafts


def stop_clocks(idle: float = 0.0) -> None:
    """No patch is in front of the reviewer now: the time spent on each stands still.

    Args:
        idle: seconds for which nobody was there; they count for no patch.
    """
    left = time.monotonic() - idle
    for draft in all_drafts().values():
        if draft.opened:
            draft.seconds += max(0.0, left - draft.opened)
            draft.opened = 0.0


def mark_begun() -> None:
    """Tell the browser whether an answer would be lost, on every page: it asks before it leaves.

    A property of the page's style, which the listener in chrome.py reads: it takes no room. Always
    set, so that what is drawn after it keeps its place.
    """
    st.html(f"<style>:root {{ --her2-answer-begun: {int(_any_lost())}; }}</style>")


def mark_form(draft: Draft) -> None:
    """The same within the answer's form, which is drawn by itself after every key press.

    With the length of the comment that the server knows: where the field's is another, something
    was typed since.
    """
    marks = f"--her2-answer-here: {int(_any_lost())}; --her2-comment: {len(draft.answer.comment)};"
    st.html(f"<style>.st-key-answer {{ {marks} }}</style>")


def _any_lost() -> bool:
    return any(draft.lost for draft in all_drafts().values())
