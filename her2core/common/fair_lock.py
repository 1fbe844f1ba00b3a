"""A lock that is given out in the order in which it was asked for.

Python's own lock goes to whoever the system wakes first, so that of ten waiting reviewers one may
be passed over again and again. Here each waits for those before it and for nobody else.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType


class NoTurnError(TimeoutError):
    """The turn did not come within the time allowed."""


class FairLock:
    """First come, first served; used as `with lock:` or `with lock.within(seconds):`.

    Not reentrant.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._queue: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        self._acquire(None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Hold the lock for the `with` block, waiting for it at most this long.

        Raises:
            NoTurnError: it did not come in time.
        """
        self._acquire(seconds)
        try:
            yield
        finally:
            self._release()

    @property
    def waiting(self) -> int:
        """How many are waiting now."""
        with self._guard:
            return len(self._queue)

    def _acquire(self, seconds: float | None) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Event()
            self._queue.append(turn)
        try:
            if not turn.wait(seconds) and self._leave(turn):
                raise NoTurnError("The turn did not come in time.")
        except NoTurnError:
            raise
        except BaseException:  # interrupted while waiting: leave the queue, or pass the turn on
            if not self._leave(turn):
                self._release()
            raise

    def _leave(self, turn: threading.Event) -> bool:
        """Leave the queue; False where the turn has come meanwhile."""
        with self._guard:
            if turn.is_set():
                return False
            self._queue.remove(turn)
            return True

    def _release(self) -> None:
        with self._guard:
            if self._queue:
                self._queue.popleft().set()  # handed over: nobody can slip in between
            else:
                self._held = False
