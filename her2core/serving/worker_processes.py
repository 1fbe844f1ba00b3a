"""Processes that work one task each, and of which one that dies costs only its own task.

`concurrent.futures.ProcessPoolExecutor` gives all its work up when one of its processes is killed;
so each process here is a pool of its own, replaced when it breaks. A task that its process does not
survive is tried anew a few times, then its caller is told. Each process computes on one core.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from queue import SimpleQueue
from typing import Any

from her2core.common.parallel import use_cores

TRIES = 3


class WorkerProcesses(Executor):
    """An executor over processes that are started when they are first needed."""

    def __init__(self, workers: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._free: SimpleQueue[ProcessPoolExecutor | None] = SimpleQueue()
        for _ in range(workers):
            self._free.put(None)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a function of a module called in a process.

        The future raises BrokenProcessPool where no process survived it in `TRIES` tries.
        """
        return self._threads.submit(self._run, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, with `cancel_futures` also what still waits for one."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        while not self._free.empty():
            pool = self._free.get()
            if pool is not None:
                pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _run(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        pool = self._free.get()
        try:
            for left in reversed(range(TRIES)):
                pool = pool or _one_process()
                try:
                    return pool.submit(fn, *args, **kwargs).result()
                except BrokenProcessPool:
                    pool.shutdown(wait=False)
                    pool = None
                    if not left:
                        raise
        finally:
            self._free.put(pool)
        raise AssertionError("the last try returns or raises")


def _one_process() -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=_begin)


def _begin() -> None:
    """What a process does before its first task."""
    use_cores(1)
    # who pressed Ctrl+C means the command, which ends its processes in its own time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """No process stays behind one that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
