"""Slides in TIFF of no scanner's own kind, read piece by piece by the rules for patches."""

from __future__ import annotations

import html
import re
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from her2core.preprocessing.formats import tiff_pages as tag
from her2core.preprocessing.formats.decoded_image import RGBArray, UnreadableImageError, damaged
from her2core.preprocessing.formats.samples import notes_on
from her2core.preprocessing.formats.tiff_choice import directories, levels_of
from her2core.preprocessing.formats.tiff_images import TiffPicture, open_picture
from her2core.preprocessing.formats.tiff_layout import NONE, UNKNOWN_LENGTH, Layout
from her2core.preprocessing.formats.tiff_pages import Tags, check_decisive

# a level of packed pieces that are larger is unpacked once and held
_LARGE_PIECE = 8_000_000
# coarser is dots an inch for a printer, which say nothing of a slide
COARSEST_DOT_UM = 20.0
_UM = dict.fromkeys(("µm", "μm", "um", "micron", "microns", r"\u00B5m"), 1.0) | {
    "nm": 1e-3,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "inch": 25_400.0,
}
_AS_STORED = 1
# by the numbers that TIFF gives to inch and centimetre
_UM_PER_UNIT = {2: 25_400.0, 3: 10_000.0}


class TiffSlide:
    """A TIFF whose reduced levels, if any, stand as pages behind or below the first."""

    def __init__(self, path: Path) -> None:
        """Open it; its file stays open as long as the process lives.

        Raises:
            UnreadableImageError: it is damaged, or of a kind that is not read.
        """
        opened = ExitStack()
        file = opened.enter_context(path.open("rb"))
        self._opened = opened
        self.notes: list[str] = []
        first, *reduced = levels_of(opened.enter_context(directories(file)), self.notes)
        highest: int | None = None
        pictures: list[TiffPicture] = []
        # the smallest first: of 16 bits it tells the range that is used
        for tags in (*reversed(reduced), first):
            notes = self.notes if tags is first else []
            try:
                check_decisive(file, tags)
                picture = open_picture(file, tags, notes, highest)
            except UnreadableImageError:
                if tags is first:
                    raise
                continue
            if _end(picture.layout) > path.stat().st_size:
                raise damaged("TIFF")
            highest = picture.highest
            pictures.insert(0, picture)
        self.notes += notes_on(pictures[0].channels.meaning, False, _AS_STORED)
        self._pictures = tuple(pictures)
        self._held: dict[int, RGBArray] = {}
        self.levels = tuple((one.layout.width, one.layout.height) for one in pictures)
        description = first.text(tag.DESCRIPTION)
        self.format = "OME-TIFF" if "OME" in description[-200:] else "TIFF"
        self.um_per_pixel = _ome_scale(description) or _scale_of_dots(first, description)

    def part(self, level: int, x: int, y: int, width: int, height: int) -> RGBArray:
        """A part of a level, uint8 (height, width, 3), all in pixels of that level."""
        layout = self._pictures[level].layout
        if layout.compression != NONE and layout.piece_width * layout.piece_height > _LARGE_PIECE:
            if level not in self._held:
                self._held[level] = self._read(level, 0, 0, layout.width, layout.height)
            return self._held[level][y : y + height, x : x + width]
        return self._read(level, x, y, width, height)

    def _read(self, level: int, x: int, y: int, width: int, height: int) -> RGBArray:
        target = np.empty((height, width, 3), np.uint8)
        self._pictures[level].read(target, x, y)
        return target


def _end(layout: Layout) -> int:
    """Bytes that the file must have at least."""
    places = zip(layout.offsets, layout.counts, strict=False)
    return max(at if length == UNKNOWN_LENGTH else at + length for at, length in places)


def _ome_scale(description: str) -> float | None:
    text = html.unescape(description)
    size = re.search(r"""\bPhysicalSizeX\s*=\s*["']([^"']{1,30})["']""", text)
    unit = re.search(r"""\bPhysicalSizeXUnit\s*=\s*["']([^"']{1,10})["']""", text)
    try:
        return float(size.group(1)) * _UM[unit.group(1) if unit else "µm"] if size else None
    except (KeyError, ValueError):
        return None


def _scale_of_dots(tags: Tags, description: str) -> float | None:
    """From the number of pixels in a unit; ImageJ names units of its own in its description."""
    unit = _UM_PER_UNIT.get(tags.number(tag.RESOLUTION_UNIT, 2))
    named = re.search(r"^unit=(.+)$", description, re.MULTILINE)
    if description.startswith("ImageJ=") and named:
        unit = _UM.get(named.group(1).strip())
    dots, per = (int(value) for value in tags.value(tag.X_RESOLUTION) or (0, 1))
    scale = unit * per / dots if unit and dots else 0.0
    return scale if 0 < scale < COARSEST_DOT_UM else None
