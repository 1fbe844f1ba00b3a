"""Answers that are begun and not saved, kept beyond the session that holds them.

By person and patch, one row each: written over while the answer changes, gone once it is saved or
emptied. They are no reviews: not in the hash chain, in no export and in no study. Only who gave an
answer is ever handed it. A comment may name a patient, so that nothing of it is logged.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import String, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from her2core.common import strict_json
from her2core.preprocessing.patches import Square
from her2core.reviews import validation
from her2core.reviews.answer import Answer, trimmed
from her2core.reviews.records import ReviewDraft
from her2core.reviews.schema import Base

Transaction = Callable[[], AbstractContextManager[Session]]
Kind = TypeVar("Kind", "UnsavedAnswer", "Place")
_log = logging.getLogger(__name__)
# in place of a patch: where the person was
_PLACE = ""
_PLACE_LASTS = timedelta(hours=12)


@dataclass(frozen=True)
class Judged:
    """Agreement or disagreement, and the verdict it was about.

    Attributes:
        agrees: with that verdict.
        square: that was read.
        model_id: of the model that read it.
    """

    agrees: bool
    square: Square
    model_id: str


@dataclass(frozen=True, kw_only=True)
class UnsavedAnswer(Answer):
    """What a reviewer has answered so far.

    Attributes:
        token: goes with the save, so that an answer is recorded once.
        judged: architecture -> what was said of its verdict.
        square: the part of the image that was chosen; None for the centred one.
        correcting: id of the review which this answer corrects, None for a first review.
        overtaken: another correction was saved meanwhile; `correcting` is its id.
        from_review: it started from that review, and is begun only where it differs from it.
        seconds: for which the patch was looked at; not a change by itself.
    """

    token: str
    judged: dict[str, Judged]
    square: Square | None
    correcting: int | None
    overtaken: bool
    from_review: bool
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Place:
    """Where a person was whose session was ended for them; see pages/shell/session.py.

    Attributes:
        last_patch: sha256 of the patch in front, None without.
        order: of the worklist, None where none was chosen.
        blind: they were reading blind.
    """

    last_patch: str | None = None
    order: str | None = None
    blind: bool = False


class UnsavedAnswerRow(Base):
    """What one person has begun to answer to a patch; written over, and gone once it is saved.

    `content` is JSON and may name a patient. Where `patch_sha256` is
    empty it holds where the person was when their session was ended.
    """

    __tablename__ = "unsaved_answer"

    reviewer: Mapped[str] = mapped_column(String(80), primary_key=True)
    patch_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token: Mapped[str] = mapped_column(String(64))
    content: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(index=True)


class UnsavedAnswers:
    """All answers begun, one object per store. Safe to share between threads.

    A name is taken as reviews are recorded under it; for one that none can be recorded under, and
    for no name, nothing is kept. Every method may raise StoreError.
    """

    def __init__(
        self, reading: Transaction, writing: Transaction, clock: Callable[[], datetime]
    ) -> None:
        """Use these transactions of a store; `clock` gives the time, in UTC."""
        self._reading = reading
        self._writing = writing
        self._clock = clock

    def keep(self, reviewer: str, sha256: str, answer: UnsavedAnswer) -> bool:
        """Keep this person's answer to this patch in the place of an earlier one.

        Returns:
            Whether it is kept; not without a name.
        """
        name = validation.recorded_name(reviewer)
        if not name or not validation.is_sha256(sha256):
            return False
        with self._writing() as session:
            self._put(session, name, sha256, answer.token, answer)
        return True

    def find(self, reviewer: str, sha256: str) -> UnsavedAnswer | None:
        """What this person has begun to answer to this patch."""
        name = validation.recorded_name(reviewer)
        if not name or not validation.is_sha256(sha256):
            return None
        with self._reading() as session:
            row = session.get(UnsavedAnswerRow, (name, sha256))
            return None if row is None else _read(UnsavedAnswer, row)

    def drop(self, reviewer: str, sha256: str) -> None:
        """Forget the answer: it is empty, or given up."""
        with self._writing() as session:
            session.execute(
                delete(UnsavedAnswerRow).where(
                    UnsavedAnswerRow.reviewer == validation.recorded_name(reviewer),
                    UnsavedAnswerRow.patch_sha256 == sha256,
                )
            )

    def keep_place(self, reviewer: str, place: Place) -> None:
        """Keep where this person was."""
        with self._writing() as session:
            self._put(session, validation.recorded_name(reviewer), _PLACE, "", place)

    def take_place(self, reviewer: str) -> Place | None:
        """Where this person was, once; None where that is half a day ago."""
        name = validation.recorded_name(reviewer)
        with self._reading() as session:
            row = session.get(UnsavedAnswerRow, (name, _PLACE))
        if row is None:
            return None
        self.drop(name, _PLACE)
        return _read(Place, row) if row.changed_at > self._clock() - _PLACE_LASTS else None

    def forget(self, before: datetime) -> int:
        """Forget what was last changed before this moment; returns how many answers that were."""
        with self._writing() as session:
            old = session.execute(
                delete(UnsavedAnswerRow)
                .where(UnsavedAnswerRow.changed_at < before)
                .returning(UnsavedAnswerRow.patch_sha256)
            )
            return sum(sha256 != _PLACE for sha256 in old.scalars())

    def _put(
        self, session: Session, name: str, sha256: str, token: str, what: UnsavedAnswer | Place
    ) -> None:
        content = json.dumps(dataclasses.asdict(what))
        session.merge(
            UnsavedAnswerRow(
                reviewer=name,
                patch_sha256=sha256,
                token=token,
                content=content,
                changed_at=self._clock(),
            )
        )


def drop_saved(session: Session, saved: ReviewDraft, token: str) -> None:
    """Within the transaction that saves an answer: it is begun no more.

    What another window has answered differently, or gone on with, stays.
    """
    name = validation.recorded_name(saved.reviewer)
    row = session.get(UnsavedAnswerRow, (name, saved.patch_sha256))
    if row is None or row.token != token:
        return
    answer = _read(UnsavedAnswer, row)
    if answer is not None and trimmed(answer) == trimmed(saved):
        session.delete(row)


def _read(kind: type[Kind], row: UnsavedAnswerRow) -> Kind | None:
    """What the row holds; None where it cannot be read: that must not bar the patch."""
    try:
        content = strict_json.parse(row.content)
        if isinstance(content, dict) and "score" in content:  # as it was called before
            content["own_score"] = content.pop("score")
        return strict_json.read(kind, content, "the answer")
    except ValueError:
        _log.exception("An answer begun could not be read and is passed over")
        return None
