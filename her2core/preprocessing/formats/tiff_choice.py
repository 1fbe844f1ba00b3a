"""Which of the pictures in a TIFF file is read.

Cameras, microscopes and slide scanners put several pictures into one file: previews, channels,
levels of a pyramid. The main one is taken and the choice said; where there is none, the file is
refused by what it is.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from her2core.preprocessing.formats.decoded_image import (
    SizeLimits,
    UnreadableImageError,
    refused,
)
from her2core.preprocessing.formats.tiff_pages import (
    DESCRIPTION,
    PHOTOMETRIC,
    SAMPLES,
    SOFTWARE,
    TILE_WIDTH,
    Tags,
    check_decisive,
    pages_of,
)

_DNG, _CR2_SLICES, _NDPI, _LEICA = 50706, 50752, 65420, "www.leica-microsystems.com"
_CAMERA_PHOTOMETRIC = (32803, 34892)


@contextmanager
def main_page(file: BinaryIO, limits: SizeLimits, notes: list[str]) -> Iterator[Tags]:
    """The directory of the picture to read.

    Args:
        file: open TIFF file.
        limits: of its size.
        notes: what was chosen, and what the file is, is added here.

    Raises:
        UnreadableImageError: as `directories`; only previews, a damaged directory, or a picture too
            large or too small.
    """
    with directories(file) as pages:
        chosen = _choice(pages, limits, notes)
        check_decisive(file, chosen)
        limits.check(*chosen.size)
        yield chosen


@contextmanager
def directories(file: BinaryIO) -> Iterator[list[Tags]]:
    """The directories of an open TIFF file that are worth looking at, those below others last.

    Raises:
        UnreadableImageError: a raw file of a camera, or channels kept as pages.
    """
    from tifffile import TiffFile  # with numpy a tenth of a second: no first page waits for it

    # What it logs may hold text of the file, which may name a patient.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    with TiffFile(file, name="picture") as tiff:
        pages = pages_of(tiff)
        _refuse_camera_files(file, pages)
        _refuse_separate_channels(pages)
        yield pages


def levels_of(pages: list[Tags], notes: list[str]) -> tuple[Tags, ...]:
    """The largest picture of a slide and its reduced versions, the largest first.

    Reduced versions stand below the picture, or behind it in the same row.

    Args:
        pages: directories of the file.
        notes: that there are other pictures as large is added here.

    Raises:
        UnreadableImageError: it holds only reduced versions.
    """
    main = _main_ones(pages)
    first = max(main, key=_area)
    beside = [tags for tags in pages if tags.above is first.above]
    behind = beside[beside.index(first) + 1 :]
    others = sum(tags.size == first.size for tags in beside if tags in main)
    if others > 1:
        notes.append(f"The file holds {others} pictures of that size; the first one was read.")
    own = itertools.takewhile(lambda tags: tags.size != first.size, behind)
    below = (tags for tags in pages if tags.above is first.page)
    reduced = [tags for tags in (*below, *own) if _is_smaller(tags, first) and not tags.is_mask]
    return (first, *sorted(reduced, key=_area, reverse=True))


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


def _is_smaller(one: Tags, other: Tags) -> bool:
    """Whether one picture is a smaller version of the other."""
    return max(one.size) < max(other.size) and _same_shape(one.size, other.size)


def _area(tags: Tags) -> int:
    return tags.size[0] * tags.size[1]


def _main_ones(pages: list[Tags]) -> list[Tags]:
    main = [tags for tags in pages if tags.is_main]
    if not main:
        raise refused("holds only reduced versions of a picture, not the picture itself")
    return main


def _choice(pages: list[Tags], limits: SizeLimits, notes: list[str]) -> Tags:
    # the first of the largest: previews and labels are not always marked as such
    chosen = max(_main_ones(pages), key=_area)
    slide = _slide(pages)
    if slide:
        width, height = chosen.size
        if width * height > limits.max_pixels:
            raise UnreadableImageError(
                f"is {slide} of {width:,} x {height:,} pixels, more than "
                f"{limits.max_pixels / 1e6:,.6g} million; export a region of it and upload that."
            )
        notes.append(f"The file is {slide}; its largest level was read.")
        return chosen
    place, number = pages.index(chosen) + 1, len(chosen.page.parent.pages)
    if chosen.above is not None:
        notes.append("The file's first picture is a preview; the main one was read.")
    elif number > 1:
        why = "" if place == 1 else ", the first of full size"
        notes.append(f"Page {place} of {number} was read{why}.")
    return chosen
