"""Which of the pictures in a TIFF file is read, and what its tags say.

Cameras, microscopes and slide scanners put several pictures into one file: previews, channels,
levels of a pyramid. The main one is taken and the choice said; where there is none, the file is
refused by what it is.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from her2core.preprocessing.formats.decoded_image import (
    SizeLimits,
    UnreadableImageError,
    damaged,
    refused,
)

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

Numbers = tuple[int, ...]
NEW_SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS = 254, 255, 256, 257, 258
COMPRESSION, PHOTOMETRIC, FILL_ORDER, DESCRIPTION = 259, 262, 266, 270
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS = 273, 274, 277, 278, 279
HIGHEST, PLANES, SOFTWARE, TRANSFER, PREDICTOR = 281, 284, 305, 301, 317
WHITE_POINT, PRIMARIES, PALETTE = 318, 319, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SUB_PAGES = 322, 323, 324, 325, 330
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES = 332, 338, 339, 347
YCC_LUMA, YCC_SUBSAMPLING, YCC_FOOTROOM, PROFILE, EXIF = 529, 530, 532, 34675, 34665
_DNG, _CR2_SLICES, _NDPI, _LEICA = 50706, 50752, 65420, "www.leica-microsystems.com"
_CAMERA_PHOTOMETRIC = (32803, 34892)
_MOST_PAGES = 5000
_MOST_LOOKED_AT = 64
# Tags without which, or with a damaged one of which, a picture would be read wrongly.
_DECISIVE = frozenset(
    {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, ORIENTATION}
    | {SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANES, PREDICTOR, PALETTE, TILE_WIDTH, TILE_HEIGHT}
    | {TILE_OFFSETS, TILE_COUNTS, INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES}
    | {YCC_LUMA, YCC_SUBSAMPLING, YCC_FOOTROOM, NEW_SUBFILE, SUB_PAGES}
)


@dataclass(frozen=True)
class Tags:
    """The tags of one directory, and whether numbers in the file are big-endian."""

    page: TiffPage
    big_endian: bool

    def numbers(self, code: int) -> Numbers:
        """The values of a tag of whole numbers; empty where there is none."""
        value = self.value(code)
        if value is None:
            return ()
        if isinstance(value, str):
            raise damaged("TIFF")
        if isinstance(value, int):
            return (int(value),)
        return tuple(map(int, value))

    def number(self, code: int, default: int) -> int:
        """The first value of a tag of whole numbers."""
        return next(iter(self.numbers(code)), default)

    def fractions(self, code: int) -> tuple[float, ...]:
        """The values of a tag of fractions; empty where there is none."""
        flat = tuple(map(int, self.value(code) or ()))
        if len(flat) % 2 or 0 in flat[1::2]:
            raise damaged("TIFF")
        return tuple(a / b for a, b in zip(flat[::2], flat[1::2], strict=True))

    def value(self, code: int) -> Any:
        """A tag's value as it was parsed; None where there is none."""
        tag = self.page.tags.get(code)
        return None if tag is None else tag.value

    def text(self, code: int) -> str:
        """A tag of text; empty where there is none."""
        value = self.value(code)
        return value if isinstance(value, str) else ""

    @property
    def size(self) -> tuple[int, int]:
        """Pixels across and down."""
        return self.number(WIDTH, 0), self.number(HEIGHT, 0)

    @property
    def is_main(self) -> bool:
        """Whether it is neither a smaller version of another picture nor a mask."""
        reduced = self.number(NEW_SUBFILE, 0) & 0b101
        return not reduced and self.number(OLD_SUBFILE, 1) != 2


@contextmanager
def main_page(file: BinaryIO, limits: SizeLimits, notes: list[str]) -> Iterator[Tags]:
    """The directory of the picture to read.

    Args:
        file: open TIFF file.
        limits: of its size.
        notes: what was chosen, and what the file is, is added here.

    Raises:
        UnreadableImageError: a raw file of a camera, channels kept as pages, only previews, a
            damaged directory, or a picture too large or too small.
    """
    from tifffile import TiffFile  # with numpy a tenth of a second: no first page waits for it

    # What it logs may hold text of the file, which may name a patient.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    with TiffFile(file, name="picture") as tiff:
        pages = _pages(tiff)
        _refuse_camera_files(file, pages)
        _refuse_separate_channels(pages)
        chosen = _choice(pages, len(tiff.pages), limits, notes)
        _check_decisive(file, tiff, chosen)
        if 0 in chosen.size:
            raise damaged("TIFF")
        limits.check(*chosen.size)
        yield chosen


def _pages(tiff: TiffFile) -> list[Tags]:
    """The directories worth looking at, those below others last."""
    from tifffile import TiffPage

    number = len(tiff.pages)
    if not 0 < number <= _MOST_PAGES:
        raise damaged("TIFF")
    big_endian = tiff.byteorder == ">"
    found = []
    for index in range(min(number, _MOST_LOOKED_AT)):
        try:
            page = tiff.pages[index]
        except Exception:
            if index == 0:
                raise
            continue  # a later directory that leads nowhere harms the first picture in no way
        if isinstance(page, TiffPage):
            found.append(Tags(page, big_endian))
    below: list[Tags] = []
    for tags in found[:8]:
        for offset in tags.numbers(SUB_PAGES)[:_MOST_LOOKED_AT]:
            try:
                tiff.filehandle.seek(offset)
                below.append(Tags(TiffPage(tiff, index=(0, len(below))), big_endian))
            except Exception:
                continue
    return found + below


def _refuse_camera_files(file: BinaryIO, pages: list[Tags]) -> None:
    file.seek(8)
    raw = file.read(2) == b"CR" or any(
        tags.number(PHOTOMETRIC, 0) in _CAMERA_PHOTOMETRIC
        or tags.value(_DNG) is not None
        or tags.value(_CR2_SLICES) is not None
        for tags in pages
    )
    if raw:
        raise UnreadableImageError(
            "is a raw file of a camera; develop it, export it as 8-bit RGB and upload that."
        )


def _refuse_separate_channels(pages: list[Tags]) -> None:
    """OME-TIFF and ImageJ keep fluorescence channels as pages, one grey picture each."""
    first = pages[0]
    text = first.text(DESCRIPTION)
    if text.lstrip().startswith("<") and "OME" in text[-200:]:
        name, counted = "an OME-TIFF", re.findall(r'\bSizeC\s*=\s*["\'](\d{1,6})["\']', text)
    elif text.startswith("ImageJ="):
        name, counted = "an ImageJ TIFF", re.findall(r"^channels=(\d{1,6})", text, re.MULTILINE)
    else:
        return
    channels = max(map(int, counted), default=1)
    together = first.number(SAMPLES, 1)
    if channels > together:
        raise refused(f"is {name} that keeps its {channels} channels as separate pictures")


def _slide(pages: list[Tags]) -> str:
    """What kind of slide file this is; empty for an ordinary picture."""
    text = pages[0].text(DESCRIPTION)
    signs = {
        "an Aperio": text.startswith("Aperio"),
        "a Hamamatsu": pages[0].value(_NDPI) is not None,
        "a Leica": _LEICA in text,
        "a Philips": pages[0].text(SOFTWARE).startswith("Philips"),
        "a Ventana": any("iScan" in str(tags.value(700) or "")[:4000] for tags in pages[:2]),
    }
    name = next((name for name, holds in signs.items() if holds), "")
    if name:
        return f"{name} slide"
    sizes = [tags.size for tags in pages if tags.value(TILE_WIDTH) is not None]
    halved = [
        small
        for small in sizes[1:]
        if small[0] < sizes[0][0] and _same_shape(small, sizes[0]) and min(small) >= 32
    ]
    return "a slide" if len(halved) >= 2 else ""


def _same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two pictures have the same proportions, to the pixel the smaller one rounds away."""
    wide, high = sorted((one, other))
    return abs(wide[0] * high[1] - wide[1] * high[0]) <= max(high)


def _choice(pages: list[Tags], number: int, limits: SizeLimits, notes: list[str]) -> Tags:
    main = [tags for tags in pages if tags.is_main]
    if not main:
        raise refused("holds only reduced versions of a picture, not the picture itself")
    chosen = main[0]
    slide = _slide(pages)
    if slide:
        width, height = chosen.size
        if width * height > limits.max_pixels:
            raise UnreadableImageError(
                f"is {slide} of {width:,} x {height:,} pixels, more than "
                f"{limits.max_pixels / 1e6:,.6g} million; export a region of it and upload that."
            )
        notes.append(f"The file is {slide}; its first and largest level was read.")
        return chosen
    for tags in main[1:]:  # a preview that is not marked as one
        larger = tags.size[0] > chosen.size[0] and tags.size[1] > chosen.size[1]
        if larger and _same_shape(tags.size, chosen.size):
            chosen = tags
    place = pages.index(chosen) + 1
    if place > number:
        notes.append("The file's first picture is a preview; the main one was read.")
    elif number > 1:
        why = "" if place == 1 else ", the first of full size"
        notes.append(f"Page {place} of {number} was read{why}.")
    return chosen


def _check_decisive(file: BinaryIO, tiff: TiffFile, tags: Tags) -> None:
    """Refuse a directory with a decisive tag that was passed over because it is damaged."""
    big = tiff.is_bigtiff
    order = ">" if tags.big_endian else "<"
    file.seek(tags.page.offset)
    count_format, entry = ("Q", 20) if big else ("H", 12)
    head = file.read(struct.calcsize(order + count_format))
    (number,) = struct.unpack(order + count_format, head)
    stored = [
        struct.unpack(order + "H", code)[0]
        for _ in range(min(number, 65_535))
        if len(code := file.read(entry)[:2]) == 2
    ]
    decisive = [code for code in stored if code in _DECISIVE]
    if len(set(decisive)) < len(decisive):
        raise damaged("TIFF")
    if any(tags.value(code) is None for code in decisive):
        raise damaged("TIFF")
