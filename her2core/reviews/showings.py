"""Whose screen showed the verdicts of which patches: what a review recorded as blind rests on.

A showing is in the database before the verdicts are drawn, so that a crash between the two leaves
"recorded, not shown" and never the reverse. All servers at one database share it. What was once
seen stays seen, so that a server may remember a yes; a no is asked for anew each time.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
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
    type_coerce,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from her2core.reviews import validation
from her2core.reviews.assignment_names import ACCOUNT, ASSIGNMENT, DOUBLE_READ
from her2core.reviews.errors import StoreError
from her2core.reviews.schema import PatchRow, ReviewerRow, ReviewRow, ShownVerdictsRow
from her2core.reviews.state_tables import ShownFiguresRow

# the name of whoever has not given one: it may be anybody, so what they saw counts for everybody
UNNAMED = ""
# more patches than this are not named in a query: all rows of the person are read instead
_FEW = 100

Transaction = Callable[[], AbstractContextManager[Session]]
Pair = tuple[str, str]
_log = logging.getLogger(__name__)


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
        self._recorded: dict[str, set[str]] = defaultdict(set)
        self._reviewed: dict[str, set[str]] = defaultdict(set)
        self._owed: dict[Pair, datetime] = {}
        self._figures: dict[str, int] = {}

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
        name, asked = validation.recorded_name(reviewer), _patches(patches)
        if asked - self._remembered(name):
            with self._reading() as session:
                self._look(session, name, asked - self._remembered(name))
        return asked & self._remembered(name)

    def seen_in(self, session: Session, reviewer: str, patches: Iterable[str]) -> frozenset[str]:
        """The same, as the caller's transaction sees it."""
        name, asked = validation.recorded_name(reviewer), _patches(patches)
        self._look(session, name, asked - self._remembered(name))
        return asked & self._remembered(name)

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
        name, now = validation.recorded_name(reviewer), self._clock()
        new = self._new(name, patches)
        try:
            if new:
                # what another server or an earlier run has recorded needs no turn at writing
                with self._reading() as session:
                    self._keep(_recorded(session, [name], new))
                new = self._new(name, new)
            self._write({(name, sha256): now for sha256 in new})
        except StoreError:
            if insist and new:
                raise
            _log.exception("What was shown could not be recorded yet")
            with self._guard:
                self._owed = {**{(name, sha256): now for sha256 in new}, **self._owed}

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
        with self._guard:
            if self._figures.get(name, 0) >= last_review_id:
                return
        try:
            with self._writing() as session:
                known = session.scalar(
                    select(func.max(ShownFiguresRow.last_review_id)).where(
                        ShownFiguresRow.reviewer == name
                    )
                )
                if (known or 0) < last_review_id:
                    row = {"reviewer": name, "last_review_id": last_review_id}
                    session.add(ShownFiguresRow(**row, shown_at=self._clock()))
        except StoreError:
            if insist:
                raise
            _log.exception("That figures were shown could not be recorded yet")
            return
        with self._guard:
            self._figures[name] = last_review_id

    # ---------------------------------------------------------------------------------------------

    def _new(self, name: str, patches: Iterable[str]) -> frozenset[str]:
        with self._guard:
            return _patches(patches) - self._recorded[name]

    def _remembered(self, name: str) -> frozenset[str]:
        """What is known without asking the database."""
        with self._guard:
            owed = {sha256 for who, sha256 in self._owed if who in (name, UNNAMED)}
            return frozenset[str]().union(
                self._recorded[name], self._recorded[UNNAMED], self._reviewed[name], owed
            )

    def _look(self, session: Session, name: str, patches: Collection[str]) -> None:
        if not patches:
            return
        self._keep(_recorded(session, [name, UNNAMED], patches))
        reviewed = _reviewed_unblinded(session, name, patches)
        told = seen_in_figures(session, name, PatchRow.id)
        here = _among(PatchRow.sha256, patches)
        reviewed |= set(session.scalars(select(PatchRow.sha256).where(here, told)))
        with self._guard:
            self._reviewed[name] |= reviewed

    def _keep(self, pairs: Iterable[Pair]) -> None:
        with self._guard:
            for name, sha256 in pairs:
                self._recorded[name].add(sha256)

    def _write(self, new: Mapping[Pair, datetime]) -> None:
        with self._guard:
            due = {**new, **self._owed}
        if not due:
            return
        with self._writing() as session:
            _insert(session, due)
        with self._guard:
            for pair in due:
                self._owed.pop(pair, None)
        self._keep(due)


def _recorded(session: Session, names: Iterable[str], patches: Collection[str]) -> set[Pair]:
    rows = session.execute(
        select(ShownVerdictsRow.reviewer, ShownVerdictsRow.patch_sha256).where(
            ShownVerdictsRow.reviewer.in_(names), _among(ShownVerdictsRow.patch_sha256, patches)
        )
    )
    return {(name, sha256) for name, sha256 in rows}


def _reviewed_unblinded(session: Session, name: str, patches: Collection[str]) -> set[str]:
    return set(
        session.scalars(
            select(PatchRow.sha256)
            .select_from(ReviewRow)
            .join(PatchRow, ReviewRow.patch_id == PatchRow.id)
            .join(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
            .where(ReviewerRow.name == name, ~ReviewRow.blind, _among(PatchRow.sha256, patches))
        )
    )


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
    double = select(DOUBLE_READ.c.id).where(DOUBLE_READ.c.patch_id == patch_id)
    answers = (
        select(func.count(entry.reviewer_id.distinct()))
        .join(reviewer, entry.reviewer_id == reviewer.id)
        .join(ACCOUNT, ACCOUNT.c.name == reviewer.name)
        .join(ASSIGNMENT, ASSIGNMENT.c.account_id == ACCOUNT.c.id)
        .where(*by_then, ASSIGNMENT.c.patch_id == patch_id, ASSIGNMENT.c.kind == "double")
    )
    before_it = (
        select(ShownFiguresRow.id)
        .join(DOUBLE_READ, DOUBLE_READ.c.created_at > type_coerce(ShownFiguresRow.shown_at, String))
        .where(
            shown,
            DOUBLE_READ.c.patch_id == patch_id,
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
