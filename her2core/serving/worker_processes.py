"""Processes that work one task each, and of which one that dies costs only its own task.

`concurrent.futures.ProcessPoolExecutor` gives all its work up when one of its processes is killed,
and starts them with the program that it finds running, which in a server is a page. So each process
here is a program of its own, `python -m her2core.serving.worker_processes`, and is replaced when it
dies. A task that its process does not survive is tried anew a few times, then its caller is told.
Each process computes on one core, and ends when whoever started it is gone.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from her2core.common.parallel import use_cores
from her2core.settings import PROJECT_ROOT

TRIES = 3
_LESS = 5  # of `nice`
_LOOK_SECONDS = 0.5


class DiedError(RuntimeError):
    """No process survived a task."""


class WorkerProcesses(Executor):
    """An executor over processes that are started when they are first needed."""

    def __init__(self, workers: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        self._free: SimpleQueue[_Process | None] = SimpleQueue()
        self._started: dict[int, _Process] = {}
        for _ in range(workers):
            self._free.put(None)

    @property
    def pids(self) -> tuple[int, ...]:
        """Ids of the processes that are running."""
        return tuple(self._started)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a function of a module called in a process.

        The future raises what the function raises, or DiedError where no process survived it in
        `TRIES` tries.
        """
        return self._threads.submit(self._run, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, with `cancel_futures` also what still waits for one."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        for process in tuple(self._started.values()) if wait else ():
            process.stop()

    def _run(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        process = self._free.get()
        try:
            for _ in range(TRIES):
                if process is None:
                    process = _Process()
                    self._started[process.pid] = process
                try:
                    worked, result = process.call(fn, args, kwargs)
                except (EOFError, OSError):
                    self._started.pop(process.pid, None)
                    process.stop()
                    process = None
                    continue
                if worked:
                    return result
                raise result
            raise DiedError(f"no process survived a task in {TRIES} tries")
        finally:
            self._free.put(process)


class _Process:
    """One process and the connection to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(number), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                cwd=PROJECT_ROOT,
                pass_fds=(number,),
            )
        self._connection = Connection(ours.detach())

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, fn: object, args: object, kwargs: object) -> tuple[bool, Any]:
        """Whether the function returned, and what it returned or raised.

        Raises:
            EOFError, OSError: the process has died.
        """
        self._connection.send((fn, args, kwargs))
        worked, result = self._connection.recv()
        return bool(worked), result

    def stop(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Call what is asked for until the other end is gone."""
    use_cores(1)
    os.nice(_LESS)  # pages and their pictures come first
    # who presses Ctrl+C means the command, which ends its processes in its own time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    connection = Connection(int(sys.argv[1]))
    while True:
        try:
            fn, args, kwargs = connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # nobody waits for what threads still do
        try:
            answer = True, fn(*args, **kwargs)
        except Exception as error:
            answer = False, error
        connection.send(answer)


def _end_with(parent: int) -> None:
    """End at once when whoever started this process is gone, in the middle of a task, too."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main()
