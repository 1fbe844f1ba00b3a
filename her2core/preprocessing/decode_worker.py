"""The process in which files from outside are decoded; `bounded_decode` starts it.

    python -m her2core.preprocessing.decode_worker SOCKET

It imports little, so that it starts at once, and holds itself to a limit of memory and of processor
time. It is never told a file's name. Per file it gets one message on its socket with two
descriptors, the file and an empty one for the pixels, and answers with one message; both are JSON.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import socket
import sys
import warnings
from typing import Any

import numpy as np

from her2core.preprocessing.image_formats import RGBArray, UnreadableImageError, read_image_file

MAX_MESSAGE = 16_384


def main() -> None:
    """Serve files until the other end closes the socket."""
    warnings.simplefilter("ignore")
    # Nothing of a patient's picture is left in a core dump.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        channel.sendall(b"ready")
        while True:
            message, descriptors, _, _ = socket.recv_fds(channel, MAX_MESSAGE, 2)
            if not message:
                return
            source, target = descriptors
            answer = _answer(json.loads(message), source, target)
            os.close(target)
            channel.sendall(json.dumps(answer).encode())


def _answer(request: dict[str, int], source: int, target: int) -> dict[str, Any]:
    """Decode the file `source`; its pixels are written to `target`."""
    _hold_to(request["max_mib"] * 2**20, request["max_seconds"])

    def allocate(shape: tuple[int, int, int]) -> RGBArray:
        size = int(np.prod(shape))
        os.ftruncate(target, size)
        return np.frombuffer(mmap.mmap(target, size), np.uint8).reshape(shape)

    try:
        with os.fdopen(source, "rb") as file:
            image = read_image_file(file, request["max_pixels"], request["min_side"], allocate)
    except UnreadableImageError as error:
        # What a file does to the memory of its reader is not to be borne by the next one.
        tired = isinstance(error.__context__, MemoryError)
        return {"refused": str(error), "tired": tired}
    return {"shape": image.rgb.shape, "format": image.format, "notes": image.notes}


def _hold_to(memory: int, seconds: int) -> None:
    """Limit this process to `memory` bytes and, from now on, to `seconds` of processor time."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds + 1, hard))


if __name__ == "__main__":
    main()
