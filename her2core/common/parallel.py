"""Work on a stream of things with several threads, in order and with little in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
_cores: int | None = None


def mapped(
    function: Callable[[T], R], things: Iterable[T], workers: int, ahead: int
) -> Iterator[R]:
    """`map` by threads: results in the order of the things, taken only as they are needed.

    Args:
        function: called by the threads; what it raises is raised here, at its place.
        things: read by the caller's thread, at most `ahead` further than the results taken.
        workers: number of threads.
        ahead: most things begun but not yet taken; this bounds the memory.

    Raises:
        ValueError: `workers` or `ahead` is below 1.
    """
    if workers < 1 or ahead < 1:
        raise ValueError("At least one worker and one thing at a time are needed.")
    pool = ThreadPoolExecutor(workers)
    try:
        source = iter(things)
        begun: deque[Future[R]] = deque(
            pool.submit(function, thing) for thing in islice(source, ahead)
        )
        while begun:
            result = begun.popleft().result()
            for thing in islice(source, 1):
                begun.append(pool.submit(function, thing))
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def chunks(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` things, the last one shorter."""
    source = iter(things)
    while chunk := list(islice(source, size)):
        yield chunk


def cores() -> int:
    """Processors this process may use."""
    if _cores is not None:
        return _cores
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_cores(number: int) -> None:
    """Have this process compute on so many cores, as where others share the machine with it."""
    global _cores
    import cv2  # most processes that divide work never touch a picture

    _cores = number
    cv2.setNumThreads(number)
