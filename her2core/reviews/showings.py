"""Whose screen showed the verdicts of which patches: what a review recorded as blind rests on.

A showing is in the database before the verdicts are drawn, so that a crash between the two leaves
"recorded, not shown" and never the reverse. All servers at one database share it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    false,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, aliased, mapped_column

from her2core.reviews import validation
from her2core.reviews.assignment_plan import ACCOUNT, AssignmentRow, DoubleReadRow
from her2core.reviews.errors import StoreError
from her2core.reviews.schema import Base, PatchRow, ReviewerRow, ReviewRow

# the name of whoever has not given one: it may be anybody, so what they saw counts for everybody
UNNAMED = ""
# more patches than this are not named in a query: all rows of the person are read instead
_FEW = 100

Transaction = Callable[[], AbstractContextManager[Session]]
Pair = tuple[str, str]
_log = logging.getLogger(__name__)


class ShownVerdictsRow(Base):
    """A patch whose verdicts one person's screen showed, and when for the first time; append-only.

    `reviewer` is a name as reviews are recorded under, or empty where none was given; the patch
    need not be in the store: evaluation reports show verdicts of others, too.
    """

    __tablename__ = "shown_verdicts"

    reviewer: Mapped[str] = mapped_column(String(80), primary_key=True)
    patch_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    shown_at: Mapped[datetime]


class ShownFiguresRow(Base):
    """Figures over the log, up to an entry, that one person's screen showed; append-only.

    They tell of the verdicts of every patch with an entry up to there, but those of double reads
    which were not finished by then; see `seen_in_figures`.
    """

    __tablename__ = "shown_figures"

    id: Mapped[int] = mapped_column(primary_key=True)
    reviewer: Mapped[str] = mapped_column(String(80), index=True)
    last_review_id: Mapped[int]
    shown_at: Mapped[datetime]


class Showings:
    """What was shown to whom; one per store. Safe to share between threads.

    A name is taken as reviews are recorded under it; one that none can be recorded under counts as
    no name. What is no sha256 is no patch and is passed over.
    """

    def __init__(
        self, reading: Transaction, writing: Transaction, clock: Callable[[], datetime]
    ) -> None:
        """Use these transactions of a store; `clock` gives the time, in UTC."""
        self._reading = reading
        self._writing = writing
        self._clock = clock
        self._guard = threading.Lock()
        self._owed: dict[Pair, datetime] = {}  # what the database has not taken yet

    def seen(self, reviewer: str, patches: Iterable[str]) -> frozenset[str]:
        """Those of the patches whose verdicts this reviewer was shown, as far as is known.

        They were on a screen under this name or under none, or an unblinded review of this
        reviewer is in the log.

        Args:
            reviewer: their name.
            patches: sha256 of those that are asked about.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._reading() as session:
            return self.seen_in(session, reviewer, patches)

    def seen_in(self, session: Session, reviewer: str, patches: Iterable[str]) -> frozenset[str]:
        """The same, as the caller's transaction sees it."""
        name, asked = validation.recorded_name(reviewer), _patches(patches)
        if not asked:
            return asked
        names = (name, UNNAMED)
        with self._guard:
            seen = {sha256 for who, sha256 in self._owed if who in names}
        seen |= {sha256 for _, sha256 in _recorded(session, names, asked)}
        if asked <= seen:
            return asked
        of_them = select(PatchRow.sha256).where(_among(PatchRow.sha256, asked))
        unblinded = (
            select(ReviewRow.id)
            .join(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
            .where(ReviewRow.patch_id == PatchRow.id, ReviewerRow.name == name, ~ReviewRow.blind)
        )
        in_figures = seen_in_figures(session, name, PatchRow.id)
        return asked & seen.union(
            session.scalars(of_them.where(or_(unblinded.exists(), in_figures)))
        )

    def record(self, reviewer: str, patches: Iterable[str], *, insist: bool = True) -> None:
        """Record that verdicts are going to be shown; to be called before they are.

        Args:
            reviewer: whose screen it is; empty where no name was given.
            patches: sha256 of the patches; a pair already recorded stays as it is.
            insist: whether nothing may be shown that is not recorded. Otherwise what the database
                does not take is kept in memory, counts there, and is written with the next one.

        Raises:
            StoreError: the database cannot be written, and this was insisted on.
        """
        name, asked, now = validation.recorded_name(reviewer), _patches(patches), self._clock()
        new = {(name, sha256): now for sha256 in asked}
        try:
            with self._reading() as session:  # what is recorded needs no turn at writing
                for pair in _recorded(session, [name], asked):
                    new.pop(pair, None)
            with self._guard:
                due = {**new, **self._owed}
            if due:
                with self._writing() as session:
                    _insert(session, due)
            with self._guard:
                self._owed = {pair: at for pair, at in self._owed.items() if pair not in due}
        except StoreError:
            if insist and new:
                raise
            _log.exception("What was shown could not be recorded yet")
            with self._guard:
                self._owed = {**new, **self._owed}

    def reviewed(self, reviewer: str, patches: Collection[str]) -> frozenset[str]:
        """Those of the patches that this reviewer has an entry of."""
        own = ReviewerRow.name == validation.recorded_name(reviewer)
        with self._reading() as session:
            found = select(PatchRow.sha256).join(ReviewRow, ReviewRow.patch_id == PatchRow.id)
            wanted = found.join(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
            return frozenset(session.scalars(wanted.where(own, PatchRow.sha256.in_(patches))))

    def reviewed_unseen(self, reviewer: str) -> frozenset[str]:
        """The patches that this reviewer has an entry of and was never shown the verdicts of."""
        name = validation.recorded_name(reviewer)
        with self._reading() as session:
            number = session.scalar(select(ReviewerRow.id).where(ReviewerRow.name == name))
            shown = select(ShownVerdictsRow.patch_sha256).where(
                ShownVerdictsRow.reviewer == name, ShownVerdictsRow.patch_sha256 == PatchRow.sha256
            )
            return frozenset(
                session.scalars(
                    select(PatchRow.sha256)
                    .join(ReviewRow, ReviewRow.patch_id == PatchRow.id)
                    .where(ReviewRow.reviewer_id == number, ReviewRow.blind, not_(shown.exists()))
                )
            )

    def record_figures(self, reviewer: str, last_review_id: int, *, insist: bool = True) -> None:
        """Record that figures over the log up to this entry are going to be shown.

        Args:
            reviewer: whose screen it is; empty where no name was given.
            last_review_id: of the last entry that they rest on.
            insist: as for `record`.

        Raises:
            StoreError: the database cannot be written, and this was insisted on.
        """
        name = validation.recorded_name(reviewer)
        last = select(func.max(ShownFiguresRow.last_review_id)).where(
            ShownFiguresRow.reviewer == name
        )
        try:
            with self._reading() as session:
                if (session.scalar(last) or 0) >= last_review_id:
                    return
            with self._writing() as session:
                if (session.scalar(last) or 0) < last_review_id:
                    row = {"reviewer": name, "last_review_id": last_review_id}
                    session.add(ShownFiguresRow(**row, shown_at=self._clock()))
        except StoreError:
            if insist:
                raise
            _log.exception("That figures were shown could not be recorded yet")


def _recorded(session: Session, names: Iterable[str], patches: Collection[str]) -> set[Pair]:
    rows = session.execute(
        select(ShownVerdictsRow.reviewer, ShownVerdictsRow.patch_sha256).where(
            ShownVerdictsRow.reviewer.in_(names), _among(ShownVerdictsRow.patch_sha256, patches)
        )
    )
    return {(name, sha256) for name, sha256 in rows}


def seen_in_figures(
    session: Session, name: str, patch_id: ColumnElement[int] | InstrumentedAttribute[int]
) -> ColumnElement[bool]:
    """Whether figures that this person was shown tell of a patch: of all that had an entry then.

    But those of a double read that was given out before and not finished by then.

    Args:
        session: of the transaction.
        name: of the person; what was shown under no name counts for everybody.
        patch_id: the patch, in the query that asks.
    """
    shown = ShownFiguresRow.reviewer.in_([name, UNNAMED])
    last = session.scalar(select(func.max(ShownFiguresRow.last_review_id)).where(shown))
    if last is None:
        return false()
    entry, reviewer = aliased(ReviewRow), aliased(ReviewerRow)
    by_then = (entry.patch_id == patch_id, entry.id <= last)
    double = select(DoubleReadRow.id).where(DoubleReadRow.patch_id == patch_id)
    answers = (
        select(func.count(entry.reviewer_id.distinct()))
        .join(reviewer, entry.reviewer_id == reviewer.id)
        .join(ACCOUNT, ACCOUNT.c.name == reviewer.name)
        .join(AssignmentRow, AssignmentRow.account_id == ACCOUNT.c.id)
        .where(*by_then, AssignmentRow.patch_id == patch_id, AssignmentRow.kind == "double")
    )
    before_it = (
        select(ShownFiguresRow.id)
        .join(DoubleReadRow, DoubleReadRow.created_at > ShownFiguresRow.shown_at)
        .where(
            shown,
            DoubleReadRow.patch_id == patch_id,
            select(entry.id)
            .where(entry.patch_id == patch_id, entry.id <= ShownFiguresRow.last_review_id)
            .exists(),
        )
    )
    return and_(
        select(entry.id).where(*by_then).exists(),
        or_(not_(double.exists()), answers.scalar_subquery() == 2, before_it.exists()),
    )


def _among(column: InstrumentedAttribute[str], patches: Collection[str]) -> ColumnElement[bool]:
    return column.in_(patches) if len(patches) <= _FEW else true()


def _insert(session: Session, pairs: Mapping[Pair, datetime]) -> None:
    """Add the pairs that are not there, in a transaction that holds the write lock."""
    known = _recorded(session, {name for name, _ in pairs}, {sha256 for _, sha256 in pairs})
    session.add_all(
        ShownVerdictsRow(reviewer=name, patch_sha256=sha256, shown_at=moment)
        for (name, sha256), moment in pairs.items()
        if (name, sha256) not in known
    )


def _patches(keys: Iterable[str]) -> frozenset[str]:
    return frozenset(filter(validation.is_sha256, keys))
