"""The log as columns of numbers, for figures over all of it: read once, then only what is new.

An entry is never changed, so what was read stays true; a later entry can only supersede it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.preprocessing.patches import Square
from her2core.reviews.schema import ReviewerRow, ReviewRow, ReviewVerdictRow, VerdictRow
from her2core.reviews.state_tables import ReviewStateRow

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_NONE = -1
_EMPTY = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Readings:
    """What one architecture said in each entry.

    Attributes:
        scores: (n,), -1 where it gave no verdict.
        models: (n,), place in `ids` of the model that gave it, -1 without a verdict.
        ids: of the models met.
    """

    scores: Ints
    models: Ints
    ids: tuple[str, ...]


@dataclass(frozen=True)
class LogColumns:
    """Entries of the log, oldest first; all arrays have shape (n,).

    Attributes:
        ids: numbers of the entries.
        patches: number of the patch.
        places: the same number for the same square of the same patch.
        reviewers: place of the reviewer in `names`.
        own: the reviewer's own score, 0 to 3.
        blind: recorded as blind.
        days: of recording, in UTC, as proleptic ordinals.
        current: no later entry corrects it.
        assessable: the square held enough tumour cells for a score.
        names: of the reviewers.
        readings: architecture -> what it said.
    """

    ids: Ints
    patches: Ints
    places: Ints
    reviewers: Ints
    own: Ints
    blind: Bools
    days: Ints
    current: Bools
    assessable: Bools
    names: tuple[str, ...] = ()
    readings: Mapping[str, Readings] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, which: Bools) -> LogColumns:
        """The entries for which this is true."""
        return replace(
            self,
            **{name: getattr(self, name)[which] for name in _COLUMNS},
            readings={
                name: Readings(one.scores[which], one.models[which], one.ids)
                for name, one in self.readings.items()
            },
        )


_COLUMNS = (
    "ids", "patches", "places", "reviewers", "own", "blind", "days", "current", "assessable",
)  # fmt: skip
_NEVER = _EMPTY.astype(bool)
NOTHING = LogColumns(_EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _NEVER, _EMPTY, _NEVER, _NEVER)


class LogColumnsKeeper:
    """The columns of one log, kept up to date. Safe to share between threads."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Session]]) -> None:
        """Nothing is read yet; `reading` gives a transaction."""
        self._reading = reading
        self._guard = threading.Lock()
        self._known = NOTHING
        self._last_hash = ""
        self._places: dict[tuple[int, Square], int] = {}

    def now(self) -> LogColumns:
        """All entries, those recorded since the last call among them.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._guard, self._reading() as session:
            last = int(self._known.ids[-1]) if len(self._known) else 0
            kept = select(ReviewRow.entry_hash).where(ReviewRow.id == last)
            if last and session.scalar(kept) != self._last_hash:
                self._known, self._places, last = NOTHING, {}, 0  # it is another log now
            self._known = self._extended(session, last)
            return self._known

    def _extended(self, session: Session, last: int) -> LogColumns:
        rows = session.execute(
            select(
                ReviewRow.id,
                ReviewRow.patch_id,
                ReviewRow.square,
                ReviewerRow.name,
                ReviewRow.own_score,
                ReviewRow.blind,
                ReviewRow.recorded_at,
                ReviewRow.supersedes,
                ReviewRow.entry_hash,
                ReviewStateRow.assessable,
            )
            .join(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
            .join(ReviewStateRow, ReviewStateRow.review_id == ReviewRow.id)
            .where(ReviewRow.id > last)
            .order_by(ReviewRow.id)
        ).all()
        if not rows:
            return self._known
        self._last_hash = rows[-1].entry_hash
        names = {name: code for code, name in enumerate(self._known.names)}
        new = LogColumns(
            ids=_ints(row.id for row in rows),
            patches=_ints(row.patch_id for row in rows),
            places=_ints(self._place(row) for row in rows),
            reviewers=_ints(names.setdefault(row.name, len(names)) for row in rows),
            own=_ints(row.own_score for row in rows),
            blind=np.array([row.blind for row in rows], dtype=bool),
            days=_ints(_day(row.recorded_at) for row in rows),
            current=np.ones(len(rows), dtype=bool),
            assessable=np.array([row.assessable for row in rows], dtype=bool),
        )
        joined = LogColumns(
            **{
                name: np.concatenate([getattr(self._known, name), getattr(new, name)])
                for name in _COLUMNS
            },
            names=tuple(names),
            readings=self._readings(session, last, new.ids),
        )
        corrected = [row.supersedes for row in rows if row.supersedes is not None]
        joined.current[np.isin(joined.ids, corrected)] = False
        return joined

    def _readings(self, session: Session, last: int, new: Ints) -> dict[str, Readings]:
        known = self._known.readings
        ids = {name: {key: n for n, key in enumerate(one.ids)} for name, one in known.items()}
        scores: dict[str, Ints] = {}
        models: dict[str, Ints] = {}
        at = {int(review_id): place for place, review_id in enumerate(new)}
        for review_id, architecture, model_id, *chances in session.execute(
            select(
                ReviewVerdictRow.review_id,
                VerdictRow.architecture,
                VerdictRow.model_id,
                VerdictRow.p_0,
                VerdictRow.p_1plus,
                VerdictRow.p_2plus,
                VerdictRow.p_3plus,
            )
            .join(VerdictRow, ReviewVerdictRow.verdict_id == VerdictRow.id)
            .where(ReviewVerdictRow.review_id > last)
        ):
            if architecture not in scores:
                scores[architecture] = np.full(len(new), _NONE)
                models[architecture] = np.full(len(new), _NONE)
            codes = ids.setdefault(architecture, {})
            scores[architecture][at[review_id]] = chances.index(max(chances))
            models[architecture][at[review_id]] = codes.setdefault(model_id, len(codes))
        without, nothing = np.full(len(self._known), _NONE), np.full(len(new), _NONE)
        joined = {}
        for name, codes in sorted(ids.items()):
            before = known.get(name)
            joined[name] = Readings(
                np.concatenate([before.scores if before else without, scores.get(name, nothing)]),
                np.concatenate([before.models if before else without, models.get(name, nothing)]),
                tuple(codes),
            )
        return joined

    def _place(self, row: Any) -> int:
        return self._places.setdefault((row.patch_id, row.square), len(self._places))


def _ints(values: Any) -> Ints:
    return np.fromiter(values, dtype=np.int64)


def _day(moment: datetime) -> int:
    return moment.date().toordinal()  # recorded in UTC
