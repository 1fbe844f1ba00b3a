"""A slide as the rest of the program sees it: facts, and any part at any reduction.

The file is opened in a process of its own under limits of memory and time
(`her2core.slides.slide_worker`), so that a damaged or hostile slide ends nothing but itself.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from her2core.common.bounded_process import Answer, BoundedProcess, filled, memory_file
from her2core.preprocessing.patches import safe_name

_MODULE = "her2core.slides.slide_worker"


class SlideError(ValueError):
    """A slide cannot be used; str(error) is one sentence: its name, the reason, what to do."""


@dataclass(frozen=True)
class SlideLimits:
    """What reading a slide may cost: memory of its process, and seconds for one part of it."""

    max_mib: int = 2048
    max_seconds: int = 60


@dataclass(frozen=True)
class SlideFacts:
    """What a slide's file says of itself.

    Attributes:
        format: kind of file, for people.
        width, height: full resolution, pixels.
        levels: how many it holds.
        um_per_pixel: of the full resolution, as the file says, plausible or not; None unsaid.
    """

    format: str
    width: int
    height: int
    levels: int
    um_per_pixel: float | None


class Slide(AbstractContextManager["Slide"]):
    """An open slide. Safe to use from several threads; close it, or use it in a `with` block.

    Attributes:
        path, name: of its file.
        facts: what the file says of itself.
        notes: sentences on how it is read that a person should know.
    """

    def __init__(self, path: Path, limits: SlideLimits = SlideLimits()) -> None:
        """Open it.

        Raises:
            SlideError: it is no slide that can be read.
        """
        self.path = path
        self.name = safe_name(path.name)
        self._limits = limits
        self._lock = threading.Lock()
        try:
            self._process = BoundedProcess(_MODULE, limits.max_mib, limits.max_seconds)
        except (OSError, EOFError) as error:
            raise SlideError(
                f"“{self.name}” could not be opened, because this computer is short of memory or "
                "processes; try again later."
            ) from error
        try:
            said = self._ask({"open": str(path.absolute())}, ())
            self.notes = tuple(map(str, said["notes"]))
            scale = said["um_per_pixel"]
            self.facts = SlideFacts(
                str(said["format"]),
                int(said["width"]),
                int(said["height"]),
                int(said["levels"]),
                float(scale) if scale is not None and math.isfinite(scale) else None,
            )
        except BaseException:
            self.close()
            raise

    def read(
        self, x: int, y: int, width: int, height: int, size: tuple[int, int]
    ) -> npt.NDArray[np.uint8]:
        """A rectangle of the full resolution, resampled to `size` (width, height).

        Returns:
            uint8 (size[1], size[0], 3); what leaves the slide is white.

        Raises:
            SlideError: this part is damaged, or takes too much memory or time.
        """
        wide, high = size
        pixels = np.empty((high, wide, 3), np.uint8)
        with memory_file() as target:
            self._ask({"part": [x, y, width, height, wide, high]}, (target,))
            if not filled(pixels.data.cast("B"), target):
                raise self._error("could not be read; copy it again.")
        return pixels

    @property
    def is_open(self) -> bool:
        """Whether its process is there; a part that was too much has ended it."""
        return self._process.lives()

    def close(self) -> None:
        """End its process."""
        self._process.stop()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: Answer, files: Sequence[BinaryIO]) -> Answer:
        try:
            with self._lock:
                answer = self._process.ask(request, files)
        except TimeoutError:
            raise self._error(
                f"takes longer than {self._limits.max_seconds} seconds for one part; export it as "
                "a pyramidal TIFF."
            ) from None
        except ChildProcessError:
            raise self._error(
                "could not be read within the limits of memory, or is damaged; export it as a "
                "pyramidal TIFF."
            ) from None
        if "refused" in answer:
            raise self._error(str(answer["refused"]))
        return answer

    def _error(self, reason: str) -> SlideError:
        return SlideError(f"“{self.name}” {reason}")
