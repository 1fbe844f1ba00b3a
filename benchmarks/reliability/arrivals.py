"""When each review is in the log, seen by somebody who only reads the database."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

_POLL_SECONDS = 0.01
_NEW = """SELECT review.id, reviewer.name FROM review JOIN reviewer ON reviewer.id = reviewer_id
WHERE review.id > ? ORDER BY review.id"""


class Arrivals:
    """Looks into a SQLite review log again and again, as a context manager, in a thread of its own.

    Another connection sees an entry only after its transaction was committed, and the store commits
    through to the disk: what is seen here would survive a power cut. Times are those of
    `time.perf_counter`, at most `_POLL_SECONDS` and the time of one look late.
    """

    def __init__(self, database: Path) -> None:
        """`database` exists, and was opened by the store once."""
        self._database = database
        self._over = threading.Event()
        self._seen: dict[str, list[float]] = defaultdict(list)
        self._thread = threading.Thread(target=self._look, name="arrivals", daemon=True)

    def __enter__(self) -> Arrivals:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def times(self) -> dict[str, list[float]]:
        """Reviewer -> when each of their reviews was first seen, in the order of the log."""
        return {name: list(times) for name, times in self._seen.items()}

    def _look(self) -> None:
        last = 0
        connection = sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=10)
        try:
            while not self._over.wait(_POLL_SECONDS):
                for number, name in connection.execute(_NEW, (last,)).fetchall():
                    last = number
                    self._seen[name].append(time.perf_counter())
        finally:
            connection.close()


def delays(
    pressed: Mapping[str, Sequence[float]], arrived: Mapping[str, Sequence[float]]
) -> list[float]:
    """Seconds from each press of Enter until its review was in the log.

    Args:
        pressed: reviewer -> when they saved, one answer after the other.
        arrived: the same for their reviews; one that never arrived is missing at the end.
    """
    return [
        there - press
        for name, presses in pressed.items()
        for press, there in zip(presses, arrived.get(name, ()), strict=False)
    ]
