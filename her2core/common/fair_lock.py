"""A lock that is given out in the order in which it was asked for.

Python's own lock goes to whoever the system wakes first, so that of ten waiting reviewers one may
be passed over again and again. Here each waits for those before it and for nobody else.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class FairLock:
    """First come, first served; used as `with lock:`. Not reentrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._queue: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Event()
            self._queue.append(turn)
        try:
            turn.wait()
        except BaseException:  # interrupted while waiting: leave the queue, or pass the turn on
            with self._guard:
                if not turn.is_set():
                    self._queue.remove(turn)
                    raise
            self._release()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    @property
    def waiting(self) -> int:
        """How many are waiting now."""
        with self._guard:
            return len(self._queue)

    def _release(self) -> None:
        with self._guard:
            if self._queue:
                self._queue.popleft().set()  # handed over: nobody can slip in between
            else:
                self._held = False
