"""Transactions of the review store: a writing one holds the lock from start to end.

Also for what else lives in its database: accounts, assignments, what is derived of the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from her2core.common.fair_lock import FairLock
from her2core.reviews import derived, writing
from her2core.reviews.database import (
    calm_errors,
    for_reading,
    for_writing,
    open_engine,
    readable_rows,
)
from her2core.reviews.migrations import migrate
from her2core.reviews.register import RegisteringSession


class Transactions:
    """One database, opened and migrated. Safe to share between threads."""

    def __init__(self, url: str, busy_seconds: float) -> None:
        """Open the database; create and migrate it where needed.

        Args:
            url: SQLAlchemy URL of the database.
            busy_seconds: how long to wait for another writer before giving up.

        Raises:
            StoreError: it cannot be opened, or was written by a newer version.
        """
        self._lock = FairLock()
        self._busy_seconds = busy_seconds
        with calm_errors():
            self.engine = open_engine(url, busy_seconds)
            self._writer = for_writing(self.engine)
            self._reader = for_reading(self.engine)
            migrate(self._writer)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that sees one state of the database.

        Raises:
            StoreError: the database cannot be read.
        """
        with readable_rows(), calm_errors(), Session(self._reader) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that holds the write lock from its start; what it wrote is on the disk.

        Raises:
            StoreError: the database cannot be written.
        """
        with (
            calm_errors(),
            self._lock.turn(self._busy_seconds),
            RegisteringSession(self._writer, expire_on_commit=False) as session,
        ):
            writing.locked_head(session)
            yield session
            derived.refresh(session)
            session.commit()

    def derived(self, name: str) -> int:
        """The number under which these derived rows are kept; those missing are filled in first.

        Raises:
            StoreError: the database cannot be read, or is to be filled and cannot be written.
        """
        while True:
            with self.reading() as session:
                number = derived.find(session, name)
            if number is not None:
                return number
            with self.writing() as session:
                derived.fill_part(session, name)

    def rebuild(self) -> list[str]:
        """Compute all derived rows anew; one sentence for each that was not as the log says.

        Raises:
            StoreError: the database cannot be read or written.
        """
        with self.reading() as session:
            names, wrong = derived.names(session), derived.check(session)
        with self.writing() as session:
            derived.forget(session)
        for name in names:
            self.derived(name)
        return wrong

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()
