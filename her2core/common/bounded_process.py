"""A process of its own for decoding files from outside, under limits of memory and time.

What a hostile file does to its reader then takes nothing else down. Requests and answers are JSON
over a socket; pixels go through a file in memory whose descriptor travels with the request. The
module that runs in the process calls `serve`; whoever starts it holds a `BoundedProcess`.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

# Time is counted on the processor, so that a busy computer refuses no file a quiet one takes. A
# process that does nothing at all is given up after so many times the limit on the clock.
PATIENCE = 12.0
MAX_MESSAGE = 16_384
_START_SECONDS = 60.0
_MOST_DESCRIPTORS = 2
# Numeric libraries set aside address space for each thread they might start.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_ROOT = Path(__file__).resolve().parent.parent.parent

Answer = dict[str, Any]


class BoundedProcess:
    """One process and the socket to it."""

    def __init__(self, module: str, max_mib: int, max_seconds: int) -> None:
        """Start `python -m module SOCKET` and wait until it is ready.

        Args:
            module: that calls `serve`.
            max_mib: memory that it may have.
            max_seconds: time of the processor that one request may take.

        Raises:
            OSError, EOFError: it does not start.
        """
        self.requests = 0
        self._limits = {"max_mib": max_mib, "max_seconds": max_seconds}
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            number = theirs.fileno()
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", module, str(number)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    # Decoders print what a file says, and a file may say a patient's name.
                    stderr=subprocess.DEVNULL,
                    cwd=_ROOT,
                    env={**os.environ, **_ONE_THREAD},
                    pass_fds=(number,),
                )
            except BaseException:
                self._channel.close()
                raise
        self._channel.settimeout(_START_SECONDS)
        if self._channel.recv(MAX_MESSAGE) != b"ready":
            raise EOFError("the process did not start")

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def lives(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def ask(self, request: Answer, files: Sequence[BinaryIO]) -> Answer:
        """Have one request answered; a process that cannot is ended.

        Raises:
            TimeoutError: it takes longer than it may.
            ChildProcessError: the process has ended, or does not make sense any more.
        """
        self.requests += 1
        message = json.dumps({**request, **self._limits}).encode()
        try:
            self._channel.settimeout(self._limits["max_seconds"] * PATIENCE)
            socket.send_fds(self._channel, [message], [file.fileno() for file in files])
            answer = json.loads(self._channel.recv(MAX_MESSAGE))
            if isinstance(answer, dict):
                return answer
        except TimeoutError:
            self.stop()
            raise
        except (OSError, ValueError):
            pass
        status = self.stop()
        if status == -signal.SIGXCPU:
            raise TimeoutError
        raise ChildProcessError(f"a process for files ended with status {status}")

    def stop(self) -> int:
        """End the process, whatever it is doing; its exit status."""
        self._channel.close()
        self._process.kill()
        return self._process.wait()


def serve(answer: Callable[[Answer, list[int]], Answer]) -> None:
    """Answer requests on the socket named by the command line until the other end closes it.

    Args:
        answer: gets a request and the descriptors that came with it, which are closed afterwards.
    """
    warnings.simplefilter("ignore")
    # Nothing of a patient's picture is left in a core dump.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        channel.sendall(b"ready")
        while True:
            message, descriptors, _, _ = socket.recv_fds(channel, MAX_MESSAGE, _MOST_DESCRIPTORS)
            if not message:
                return
            request = json.loads(message)
            _hold_to(request["max_mib"] * 2**20, request["max_seconds"])
            try:
                channel.sendall(json.dumps(answer(request, descriptors)).encode())
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)


def mapped(descriptor: int, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """An array of this shape, uint8, that is the content of an empty file."""
    size = math.prod(shape)
    os.ftruncate(descriptor, size)
    return np.frombuffer(mmap.mmap(descriptor, size), np.uint8).reshape(shape)


def _hold_to(memory: int, seconds: int) -> None:
    """Limit this process to `memory` bytes and, from now on, to `seconds` of processor time."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds + 1, hard))


@contextmanager
def memory_file() -> Iterator[BinaryIO]:
    """An unnamed file in memory; on systems without them, an unnamed one on disk."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("her2"), "w+b") as file:
            yield file
    else:
        with tempfile.TemporaryFile() as file:
            yield file


def filled(buffer: memoryview, file: BinaryIO) -> bool:
    """Whether the file holds exactly as many bytes as the buffer, into which they are read.

    Read, not mapped: the other process could still change or cut what it shares.
    """
    file.seek(0)
    size = os.fstat(file.fileno()).st_size
    return size == len(buffer) and file.readinto(buffer) == size  # type: ignore[attr-defined, no-any-return]
