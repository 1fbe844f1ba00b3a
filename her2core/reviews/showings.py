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

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from her2core.reviews import validation
from her2core.reviews.errors import ReviewRefusedError, StoreError
from her2core.reviews.schema import PatchRow, ReviewerRow, ReviewRow, ShownVerdictsRow

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
        name, asked = _name(reviewer), _patches(patches)
        if asked - self._remembered(name):
            with self._reading() as session:
                self._look(session, name, asked - self._remembered(name))
        return asked & self._remembered(name)

    def seen_in(self, session: Session, reviewer: str, patches: Iterable[str]) -> frozenset[str]:
        """The same, as the caller's transaction sees it."""
        name, asked = _name(reviewer), _patches(patches)
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
        name, now = _name(reviewer), self._clock()
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


def _name(reviewer: str) -> str:
    try:
        return validation.reviewer_name(reviewer)
    except ReviewRefusedError:
        return UNNAMED


def _patches(keys: Iterable[str]) -> frozenset[str]:
    return frozenset(filter(validation.is_sha256, keys))
