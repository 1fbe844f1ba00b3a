"""Checking the log while it is looked at: from the last entry that was found right, bit by bit.

What was checked once by this process is not checked again; `python -m her2core.reviews verify`
checks all of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from her2core.reviews import queries, register
from her2core.reviews.chain import GENESIS, ChainEntry, ChainHead, verify

_AT_ONCE = 500
_START = ChainHead(0, GENESIS)


@dataclass(frozen=True)
class Checked:
    """How far the check is.

    Attributes:
        sentences: what is wrong, one sentence each.
        entries: of the log that were checked,
        of: and how many there are.
        finished: log and register were checked to their ends.
    """

    sentences: tuple[str, ...]
    entries: int
    of: int
    finished: bool


class LogWatch:
    """The check of one log, shared by all who look at it. Safe to share between threads."""

    def __init__(self, reading: Callable[[], AbstractContextManager[Session]]) -> None:
        """Nothing is checked yet; `reading` gives a transaction."""
        self._reading = reading
        self._guard = threading.Lock()
        self._begin_anew()

    def look(self, seconds: float) -> Checked:
        """Check what is new, for so long at most; the next look goes on.

        Raises:
            StoreError: the database cannot be read.
        """
        until = time.monotonic() + seconds
        with self._guard:
            while True:
                with self._reading() as session:
                    checked = self._step(session)
                if checked.finished or time.monotonic() > until:
                    return checked

    def _begin_anew(self) -> None:
        self._entry = self._line = _START
        self._sentences: dict[str, None] = {}  # in their order, each once

    def _step(self, session: Session) -> Checked:
        head, line_head = queries.chain_head(session), register.head(session)
        last = 0 if head is None else head.last_id
        # with the last entry that was checked: it must be there as it was
        before = max(0, self._entry.last_id - 1)
        to = min(self._entry.last_id + _AT_ONCE, last)
        entries = queries.chain_entries(session, before, to)
        if self._entry.last_id:
            if not entries or ChainHead(entries[0].id, entries[0].entry_hash) != self._entry:
                self._begin_anew()
                return Checked((), 0, last, finished=False)
            known = verify(entries[:1], self._entry, ChainHead(before, entries[0].previous_hash))
            sentences = known + verify(
                entries[1:], self._end_of(entries, head, to, last), self._entry
            )
        else:
            sentences = verify(entries, self._end_of(entries, head, to, last))
        if entries:
            self._entry = ChainHead(entries[-1].id, entries[-1].entry_hash)
        lines, self._line = register.check_lines(session, self._line, _AT_ONCE)
        self._sentences |= dict.fromkeys([*sentences, *lines])
        done = to >= last and (line_head is None or self._line.last_id >= line_head.last_id)
        return Checked(tuple(self._sentences), min(self._entry.last_id, last), last, done)

    @staticmethod
    def _end_of(
        entries: list[ChainEntry], head: ChainHead | None, to: int, last: int
    ) -> ChainHead | None:
        """Where the entries should end: where the log does, or else where they were cut."""
        if to >= last or not entries:
            return head
        return ChainHead(entries[-1].id, entries[-1].entry_hash)
