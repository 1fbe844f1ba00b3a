"""A lock that is given out in the order in which it was asked for.

Python's own lock goes to whoever the system wakes first, so that of ten waiting reviewers one may
be passed over again and again. Here each waits for those before it and for nobody else.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class NoTurnError(TimeoutError):
    """The turn did not come within the time allowed."""


class FairLock:
    """First come, first served; not reentrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        # one for each who holds the lock or waits for it; that of the first is set
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def turn(self, seconds: float | None = None) -> Iterator[None]:
        """Hold the lock for the `with` block, waiting for it at most this long.

        Raises:
            NoTurnError: it did not come in time.
        """
        mine = threading.Event()
        try:
            with self._guard:
                self._queue.append(mine)
                self._queue[0].set()
            if not mine.wait(seconds):
                raise NoTurnError("The turn did not come in time.")
            yield
        finally:  # the turn is over, or was given up: the next in the queue is the first now
            with self._guard:
                if mine in self._queue:
                    self._queue.remove(mine)
                if self._queue:
                    self._queue[0].set()
