"""Decoding files from outside in processes of their own, under limits of memory and time.

A decoder that a hostile file makes hang, crash or swell takes nothing down but its own process: the
file is refused in one sentence, and a fresh process takes the place of the old one. The processes
are kept for the next file; a warm one costs milliseconds. The pixels are those of
`her2core.preprocessing.patches.decode`, which does everything but the decoding itself.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from functools import cache
from typing import Any, BinaryIO

import numpy as np

from her2core.common.bounded_process import BoundedProcess, filled, memory_file
from her2core.preprocessing.image_formats import FORMATS, DecodedImage, UnreadableImageError
from her2core.preprocessing.patches import Patch, decode
from her2core.settings import UploadLimits

_log = logging.getLogger(__name__)
_MODULE = "her2core.preprocessing.decode_worker"
_WORKERS = 2
_FILES_PER_WORKER = 1000


def decode_bounded(data: bytes, name: str, limits: UploadLimits) -> Patch:
    """`patches.decode` for a file from outside. Safe to use from several threads.

    The same bytes give the same Patch. Time spent waiting for a free process does not count.

    Raises:
        PatchError: as `decode`; also where the file needs more than `limits.max_seconds` or
            `limits.max_mib`, or makes its decoder crash.
    """
    pool = _pool(limits.max_seconds, limits.max_mib)
    return decode(data, name, limits, reader=pool.read)


class DecoderPool:
    """A few worker processes, started when they are needed, each decoding one file at a time."""

    def __init__(self, max_seconds: int, max_mib: int, workers: int = _WORKERS) -> None:
        """Nothing is started yet.

        Args:
            max_seconds: processor time for one file.
            max_mib: memory of one worker, MiB.
            workers: most files decoded at once.
        """
        self._max_seconds = max_seconds
        self._max_mib = max_mib
        self._free = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._idle: list[BoundedProcess] = []

    def read(self, data: bytes, max_pixels: int, min_side: int) -> DecodedImage:
        """`her2core.preprocessing.image_formats.read_image`, elsewhere.

        Raises:
            UnreadableImageError: as there; or the limits are not kept, or no process starts.
        """
        request = {"max_pixels": max_pixels, "min_side": min_side}
        with self._free, memory_file() as source, memory_file() as target:
            source.write(data)
            source.flush()
            worker, answer = self._asked(request, source, target)
            if answer.get("tired") or worker.requests >= _FILES_PER_WORKER:
                worker.stop()
            else:
                with self._lock:
                    self._idle.append(worker)
            return _decoded(answer, target, max_pixels)

    def close(self) -> None:
        """End the processes that wait; a later file starts new ones."""
        with self._lock:
            waiting, self._idle = self._idle, []
        for worker in waiting:
            worker.stop()

    def _asked(
        self, request: dict[str, int], source: BinaryIO, target: BinaryIO
    ) -> tuple[BoundedProcess, dict[str, Any]]:
        """A worker and its answer; whatever did not answer is ended.

        Raises:
            UnreadableImageError: no answer in time.
        """
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                worker = self._started()
            elif not worker.lives():  # ended from outside while it waited
                worker.stop()
                continue
            try:
                return worker, worker.ask(request, (source, target))
            except TimeoutError:
                raise UnreadableImageError(
                    f"takes longer than {self._max_seconds} seconds to open; "
                    "export it again as 8-bit RGB, or a smaller region, and upload that."
                ) from None
            except ChildProcessError as error:
                _log.warning("A file could not be decoded: %s", error)
                raise UnreadableImageError(
                    "could not be opened within the limits of memory and time; "
                    "export it again as 8-bit RGB and upload that."
                ) from None

    def _started(self) -> BoundedProcess:
        try:
            return BoundedProcess(_MODULE, self._max_mib, self._max_seconds)
        except (OSError, EOFError) as error:
            _log.warning("No decoding process could be started (%s)", type(error).__name__)
            raise UnreadableImageError(
                "could not be opened, because this computer is short of memory or processes; "
                "upload it again later."
            ) from error


def _decoded(answer: dict[str, Any], target: BinaryIO, max_pixels: int) -> DecodedImage:
    """The picture of an answer, which is believed only as far as it is checked here.

    Raises:
        UnreadableImageError: the file was refused, or the answer makes no sense.
    """
    if "refused" in answer:
        raise UnreadableImageError(str(answer["refused"]))
    try:
        height, width, channels = map(int, answer["shape"])
        kind, notes = answer["format"], tuple(map(str, answer["notes"]))
        if (
            channels != 3
            or not 0 < height * width <= max_pixels
            or kind not in {one.name for one in FORMATS}
        ):
            raise ValueError
        rgb = np.empty((height, width, 3), np.uint8)
        if not filled(rgb.data.cast("B"), target):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise UnreadableImageError(
            "could not be opened; export it again as 8-bit RGB and upload that."
        ) from None
    return DecodedImage(rgb, notes, kind)


@cache
def _pool(max_seconds: int, max_mib: int) -> DecoderPool:
    """The process-wide pool for these limits. Its workers end when this process does."""
    return DecoderPool(max_seconds, max_mib)


# A forked process must not talk over its parent's sockets.
with suppress(AttributeError):
    os.register_at_fork(after_in_child=_pool.cache_clear)
