"""How far a long explanation is, and whether anybody still waits for it."""

import threading


class StoppedError(Exception):
    """Nobody waits for this map any more; it was left unfinished."""


class Progress:
    """Shared by the thread that computes and the one that waits."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._share = 0.0
        self._steps = self._done = 0

    @property
    def share(self) -> float:
        """How much is done, in [0, 1]."""
        return self._share

    def stop(self) -> None:
        """The map is not wanted any more: the computation ends at its next step."""
        self._stopped.set()

    def begin(self, steps: int) -> None:
        """Called by the computation before the first of so many steps."""
        self._steps, self._done = steps, 0

    def step(self) -> None:
        """Called by the computation before each step.

        Raises:
            StoppedError: the map is not wanted any more.
        """
        self.reached(self._done / self._steps)
        self._done += 1

    def reached(self, share: float) -> None:
        """So much is done, in [0, 1].

        Raises:
            StoppedError: the map is not wanted any more.
        """
        if self._stopped.is_set():
            raise StoppedError("The map is not wanted any more.")
        self._share = share
