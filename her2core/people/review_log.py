"""The review log as one person may see it, asked of the database a screenful at a time.

All answers to a double read stay out, this person's own too, until both are in: an own entry shows
the verdicts, and an export of it would be passed on. Who reads blind sees no entry of a patch that
is still to be reviewed by them. How many are kept back is the same for every filter, or else
filters would tell what these entries hold: it counts the current ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from sqlalchemy import ColumnElement, false, not_, or_, select, true
from sqlalchemy.orm import Session

from her2core.accounts.records import Identity
from her2core.people.visible import sealed
from her2core.reviews import log_queries
from her2core.reviews.derived import patches_by
from her2core.reviews.log_columns import LogColumns
from her2core.reviews.records import Review, ReviewFilter
from her2core.reviews.schema import PatchRow, ReviewerRow, ReviewRow
from her2core.reviews.showings import UNNAMED, ShownVerdictsRow, seen_in_figures
from her2core.reviews.state_tables import ReviewStateRow
from her2core.reviews.store import ReviewStore
from her2core.reviews.validation import recorded_name

SCREENFUL = 50
# more patches of this session alone are not named in a question; their entries stay hidden
_FEW = 10_000


@dataclass(frozen=True)
class LogScreen:
    """Some entries of the log, newest first.

    Attributes:
        reviews: the entries.
        entries: how many pass the filter.
        sealed: current entries of double reads that are not finished.
        withheld: current entries, of the others, that a blind reader is not to know.
        first: how many of those that pass come before.
        newer, older: number of the entry with which the screenful before and the one after begin;
            None at the ends.
    """

    reviews: tuple[Review, ...]
    entries: int
    sealed: int
    withheld: int
    first: int
    newer: int | None
    older: int | None


class ReviewLog:
    """What one person may see of the log. Cheap to make; every method may raise StoreError."""

    def __init__(
        self,
        store: ReviewStore,
        person: Identity,
        *,
        blind: bool = False,
        seen: Collection[str] = (),
    ) -> None:
        """Nothing is asked yet.

        Args:
            store: the review store.
            person: who asks.
            blind: they read blind.
            seen: sha256 of patches whose verdicts they have seen, beside those that the database
                knows of.
        """
        self._store = store
        self._person = person
        self._blind = blind
        self._seen = tuple(seen)[:_FEW]

    def screen(
        self, wanted: ReviewFilter, start: int | None = None, size: int = SCREENFUL
    ) -> LogScreen:
        """The entries that pass the filter, from the newest, or from this number, down."""
        number = ReviewStateRow.review_id
        with self._asking() as (session, hidden, known):
            only = (*log_queries.conditions(wanted), not_(hidden), known)
            here = only if start is None else (*only, number <= start)
            shown = log_queries.numbers(session, *here, limit=size + 1)
            above = (*only, number > shown[0]) if shown and start is not None else (false(),)
            before = log_queries.numbers(session, *above, limit=size, oldest_first=True)
            return LogScreen(
                tuple(log_queries.load(session, shown[:size])),
                log_queries.count(session, *only),
                *_kept_back(session, hidden, known),
                first=log_queries.count(session, *above),
                newer=before[-1] if before else None,
                older=shown[size] if len(shown) > size else None,
            )

    def everything(self, wanted: ReviewFilter) -> tuple[list[Review], int]:
        """All entries that pass the filter, and how many current ones are sealed."""
        with self._asking() as (session, hidden, known):
            only = (*log_queries.conditions(wanted), not_(hidden), known)
            entries = log_queries.load(session, log_queries.numbers(session, *only))
            return entries, _kept_back(session, hidden, known)[0]

    def columns(self) -> tuple[LogColumns, int]:
        """The current entries, for figures; and how many more a blind reader is not to know."""
        with self._asking() as (session, hidden, known):
            kept_back = log_queries.patches(session, hidden)
            patches = log_queries.patches(session, known) if self._blind else None
            withheld = _kept_back(session, hidden, known)[1]
        log = self._store.columns.now()
        which = log.current & ~np.isin(log.patches, kept_back)
        if patches is not None:
            which &= np.isin(log.patches, patches)
        return log.only(which), withheld

    def find(self, review_id: int) -> Review | None:
        """The entry with this number, where it may be seen."""
        with self._asking() as (session, hidden, known):
            only = (ReviewStateRow.review_id == review_id, not_(hidden), known)
            found = log_queries.load(session, log_queries.numbers(session, *only))
            return found[0] if found else None

    # ---------------------------------------------------------------------------------------------

    @contextmanager
    def _asking(self) -> Iterator[tuple[Session, ColumnElement[bool], ColumnElement[bool]]]:
        number = self._store.derived(patches_by({}))
        with self._store.reading() as session:
            yield session, sealed(session, self._person, number), self._known(session)

    def _known(self, session: Session) -> ColumnElement[bool]:
        """Whether the patch was reviewed by this person, or its verdicts were shown to them."""
        if not self._blind:
            return true()
        name = recorded_name(self._person.name)
        own = select(ReviewerRow.id).where(ReviewerRow.name == name).scalar_subquery()
        patch_id = ReviewStateRow.patch_id
        reviewed = select(ReviewRow.id).where(
            ReviewRow.reviewer_id == own, ReviewRow.patch_id == patch_id
        )
        shown = (
            select(PatchRow.id)
            .join(ShownVerdictsRow, ShownVerdictsRow.patch_sha256 == PatchRow.sha256)
            .where(PatchRow.id == patch_id, ShownVerdictsRow.reviewer.in_([name, UNNAMED]))
        )
        here = (
            patch_id.in_(select(PatchRow.id).where(PatchRow.sha256.in_(self._seen)))
            if self._seen
            else false()
        )
        told = seen_in_figures(session, name, patch_id)
        return or_(reviewed.exists(), shown.exists(), here, told)


def _kept_back(
    session: Session, hidden: ColumnElement[bool], known: ColumnElement[bool]
) -> tuple[int, int]:
    current = log_queries.CURRENT
    return (
        log_queries.count(session, current, hidden),
        log_queries.count(session, current, not_(hidden), not_(known)),
    )
