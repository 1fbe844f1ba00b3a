"""Whose turn it is to write an SQLite file, among processes.

Writers of one process queue at a FairLock, so that only one of them competes for the database at a
time. Between processes SQLite has no queue: its own waiting lengthens its pauses up to a tenth of a
second, and who has just written is back before anybody else has woken up. So there is a turnstile
before the write lock: only who stands in it may take the lock, and who comes from the lock finds it
taken. Short random pauses before it give each the same chance.
"""

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from her2core.common.fair_lock import NoTurnError

Result = TypeVar("Result")

# seconds between two attempts: about the time one review takes to be written
SHORTEST_PAUSE = 0.002
LONGEST_PAUSE = 0.012


@contextmanager
def turnstile(path: Path, seconds: float) -> Iterator[None]:
    """Be the one process that may take the write lock next, for the `with` block.

    Args:
        path: an empty file which all processes use; made for the owner alone. Where it cannot be
            made nothing is waited for: the write itself is going to say what is wrong.
        seconds: how long to wait at most.

    Raises:
        NoTurnError: the turnstile was taken all the time.
    """
    try:
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        try:
            patiently(
                lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB),
                lambda error: isinstance(error, BlockingIOError),
                seconds,
            )
        except BlockingIOError as error:
            raise NoTurnError("The turn to write did not come in time.") from error
        yield
    finally:
        os.close(file)  # which gives up the lock, as the end of the process does


def patiently(
    attempt: Callable[[], Result], is_busy: Callable[[Exception], bool], seconds: float
) -> Result:
    """Try until it works, for so long as the only trouble is that somebody else is at work.

    Args:
        attempt: what to do; tried at least once.
        is_busy: whether an exception means "somebody else is at work".
        seconds: how long to go on trying.

    Raises:
        Exception: what the last attempt raised.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except Exception as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(SHORTEST_PAUSE, LONGEST_PAUSE))
