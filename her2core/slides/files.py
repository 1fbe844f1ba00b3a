"""Files of slides behind one interface: size, levels, scale, and any part of any level.

Runs in the process that `her2core.slides.slide_worker` is, never in the caller's: decoders that
read hostile bytes are kept apart. OpenSlide reads the scanners' formats and DICOM, tifffile
OME-TIFF and plain TIFF, the decoders of patches any other picture, which is then held whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from her2core.preprocessing.image_formats import UnreadableImageError, read_image_file

RGB = npt.NDArray[np.uint8]
# plain pictures are held whole, and an overview without reduced levels reads every pixel
MOST_PLAIN_PIXELS = 400_000_000
# endings under which only OpenSlide's formats are slides; any other file there is a broken one
SCANNERS = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".dcm")
_MOST_SIDE = 2**31 - 1
_LEAST_SIDE = 32
_BAND_PIXELS = 16_000_000
_UM = {"µm": 1.0, "um": 1.0, "μm": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}
_UM_PER_UNIT = {"inch": 25_400.0, "centimeter": 10_000.0, "2": 25_400.0, "3": 10_000.0}


class SlideFile(Protocol):
    """An open slide.

    Attributes:
        format: what kind of file it is, for people.
        levels: (width, height) of each level in pixels, the full resolution first.
        um_per_pixel: what the file says of the full resolution; None where it says nothing.
    """

    @property
    def format(self) -> str: ...

    @property
    def levels(self) -> Sequence[tuple[int, int]]: ...

    @property
    def um_per_pixel(self) -> float | None: ...

    def part(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        """A part of a level, uint8 (height, width, 3), all in pixels of that level."""


def open_file(path: Path) -> SlideFile:
    """Open a slide.

    Raises:
        UnreadableImageError: it is no slide that can be read; str(error) completes a sentence that
            begins with the file's name.
    """
    if path.suffix.lower() == ".mrxs" and not path.with_suffix("").is_dir():
        raise UnreadableImageError(
            f"lacks its folder “{path.stem}”, which holds the pixels; copy both together."
        )
    opened = _opened(path)
    width, height = opened.levels[0]
    if max(width, height) > _MOST_SIDE or min(width, height) < _LEAST_SIDE:
        raise UnreadableImageError(
            f"says that it is {width:,} x {height:,} pixels; scan or export it again."
        )
    smallest = min(w * h for w, h in opened.levels if min(w, h) >= _LEAST_SIDE)
    if smallest > MOST_PLAIN_PIXELS:
        raise UnreadableImageError(
            f"has {width * height / 1e6:,.0f} million pixels and no reduced levels; export it "
            "as a pyramidal TIFF."
        )
    return opened


def read_part(
    slide: SlideFile, x: int, y: int, width: int, height: int, size: tuple[int, int], out: RGB
) -> None:
    """A rectangle of the full resolution, reduced or enlarged to `size`, into `out` (h, w, 3).

    Read in bands from the level that holds just enough pixels; what leaves the slide is white.
    """
    wide, high = size
    full_width, full_height = slide.levels[0]
    level = _level_for(slide.levels, width / wide)
    level_width, level_height = slide.levels[level]
    across, down = level_width / full_width, level_height / full_height
    rows = max(1, min(high, int(_BAND_PIXELS / max(1.0, width * across * height * down) * high)))
    left, right = round(x * across), max(round(x * across) + 1, round((x + width) * across))
    for top in range(0, high, rows):
        bottom = min(high, top + rows)
        first = round((y + height * top / high) * down)
        last = max(first + 1, round((y + height * bottom / high) * down))
        part = _on_white(slide, level, left, first, right - left, last - first)
        how = cv2.INTER_AREA if part.shape[1] > wide else cv2.INTER_CUBIC
        out[top:bottom] = cv2.resize(part, (wide, bottom - top), interpolation=how)


def _level_for(levels: Sequence[tuple[int, int]], reduction: float) -> int:
    """The smallest level with at least the pixels that are wanted."""
    chosen = 0
    for number, (width, height) in enumerate(levels):
        enough = levels[0][0] / width <= max(1.0, reduction) * 1.01
        if enough and min(width, height) >= _LEAST_SIDE and width < levels[chosen][0]:
            chosen = number
    return chosen


def _on_white(slide: SlideFile, level: int, x: int, y: int, width: int, height: int) -> RGB:
    full_width, full_height = slide.levels[level]
    left, top = max(0, x), max(0, y)
    right, bottom = min(full_width, x + width), min(full_height, y + height)
    inside = (right - left, bottom - top)
    if inside == (width, height):
        return slide.part(level, left, top, width, height)
    whole = np.full((height, width, 3), 255, np.uint8)
    if min(inside) > 0:
        whole[top - y : bottom - y, left - x : right - x] = slide.part(level, left, top, *inside)
    return whole


def _opened(path: Path) -> SlideFile:
    import openslide

    try:
        tiff = _tiff(path)
        if tiff is not None and "OME" in tiff.pages[0].description[-200:]:
            return _Tiff(tiff, "OME-TIFF")
        if openslide.OpenSlide.detect_format(str(path)) is not None:
            return _Scanned(openslide.OpenSlide(str(path)))
        if path.suffix.lower() in SCANNERS:
            raise _no_slide(path)
        if tiff is not None and _Tiff.can_read(tiff):
            return _Tiff(tiff, "TIFF")
    except openslide.OpenSlideError as error:
        raise _no_slide(path) from error
    return _Plain(path)


def _no_slide(path: Path) -> UnreadableImageError:
    """The refusal of what OpenSlide cannot read."""
    with path.open("rb") as file:
        if file.read(132)[128:] == b"DICM":
            return UnreadableImageError(
                "is DICOM, but no whole slide that can be read; export it as whole-slide "
                "microscopy (modality SM)."
            )
    return damaged()


def damaged() -> UnreadableImageError:
    """The refusal of a slide whose parts do not fit together."""
    return UnreadableImageError(
        "is an incomplete or damaged slide; copy it again from the scanner or archive."
    )


class _Scanned:
    """What OpenSlide reads."""

    def __init__(self, slide: Any) -> None:
        self._slide = slide
        said = slide.properties
        self.format = f"{said.get('openslide.vendor', 'unknown')} slide"
        self.levels = tuple(slide.level_dimensions)
        mpp = [_number(said.get(f"openslide.mpp-{axis}")) for axis in "xy"]
        if None in mpp:
            unit = _UM_PER_UNIT.get(said.get("tiff.ResolutionUnit", ""), 0.0)
            dots = _number(said.get("tiff.XResolution"))
            # 72 or 96 dots an inch say nothing of a slide
            mpp = [unit / dots] * 2 if unit and dots and unit / dots < 20 else [None]
        known = [value for value in mpp if value is not None]
        self.um_per_pixel = sum(known) / len(known) if known else None

    def part(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        downsample = self._slide.level_downsamples[level]
        corner = (round(x * downsample), round(y * downsample))
        rgba = np.asarray(self._slide.read_region(corner, level, (width, height)))
        clear = (255 - rgba[..., 3:]).astype(np.uint16)
        # what was not scanned is glass; Pillow gives straight alpha
        laid = (rgba[..., :3].astype(np.uint16) * (255 - clear) + 255 * clear) // 255
        return laid.astype(np.uint8)


class _Tiff:
    """TIFF of 8-bit RGB in tiles or strips; reduced levels as pages or below the first page."""

    def __init__(self, tiff: Any, kind: str) -> None:
        self.format = kind
        first = tiff.series[0] if tiff.series else None
        pages = [level.pages[0] for level in first.levels] if first is not None else tiff.pages[:1]
        self._pages = [page for page in pages if _is_plain_rgb(page)]
        if not self._pages or self._pages[0] is not pages[0]:
            raise UnreadableImageError(
                "keeps its channels apart or not as 8-bit RGB; export it as 8-bit RGB."
            )
        self._file = tiff.filehandle
        ends = (
            offset + count
            for page in self._pages
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        )
        if max(ends, default=0) > self._file.size:
            raise damaged()
        self.levels = tuple((page.imagewidth, page.imagelength) for page in self._pages)
        self.um_per_pixel = _ome_scale(pages[0].description) or _dots_scale(pages[0])

    @staticmethod
    def can_read(tiff: Any) -> bool:
        page = tiff.pages[0]
        return _is_plain_rgb(page) and page.tags.get("InterColorProfile") is None

    def part(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        page = self._pages[level]
        tile_width = page.tilewidth or page.imagewidth
        tile_height = page.tilelength or page.rowsperstrip
        per_row = -(-page.imagewidth // tile_width)
        out = np.full((height, width, 3), 255, np.uint8)
        for row in range(y // tile_height, -(-(y + height) // tile_height)):
            for column in range(x // tile_width, -(-(x + width) // tile_width)):
                index = row * per_row + column
                self._file.seek(page.dataoffsets[index])
                data = self._file.read(page.databytecounts[index])
                pixels = page.decode(data, index, jpegtables=page.jpegtables)[0]
                if pixels is None:  # an empty tile is glass
                    continue
                tile, top, left = pixels[0], row * tile_height - y, column * tile_width - x
                ahead, before = max(0, top), max(0, left)
                cut = tile[ahead - top : height - top, before - left : width - left, :3]
                out[ahead : ahead + cut.shape[0], before : before + cut.shape[1]] = cut
        return out


class _Plain:
    """Any other picture, whole in memory."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            image = read_image_file(file, MOST_PLAIN_PIXELS, _LEAST_SIDE)
        self._rgb = image.rgb
        self.format = image.format
        self.levels = ((image.rgb.shape[1], image.rgb.shape[0]),)
        self.um_per_pixel: float | None = None

    def part(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        return self._rgb[y : y + height, x : x + width]


def _tiff(path: Path) -> Any:
    """The file as tifffile opens it; None where it is no TIFF with a sound first page."""
    import logging

    from tifffile import TiffFile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    try:
        tiff = TiffFile(path)
        return tiff if len(tiff.pages) and hasattr(tiff.pages[0], "description") else None
    except Exception:  # hostile bytes fail in ways no list would cover; others may still read it
        return None


def _is_plain_rgb(page: Any) -> bool:
    return bool(
        page.dtype == np.uint8
        and page.samplesperpixel in (3, 4)
        and page.planarconfig == 1
        and int(page.photometric) in (2, 6)
    )


def _ome_scale(description: str) -> float | None:
    found = re.search(r'\bPhysicalSizeX\s*=\s*"([^"]{1,30})"', description)
    unit = re.search(r'\bPhysicalSizeXUnit\s*=\s*"([^"]{1,10})"', description)
    value = _number(found.group(1)) if found else None
    return None if value is None else value * _UM.get(unit.group(1) if unit else "µm", 0.0)


def _dots_scale(page: Any) -> float | None:
    tags = page.tags
    unit = _UM_PER_UNIT.get(
        str(int(tags["ResolutionUnit"].value)) if "ResolutionUnit" in tags else ""
    )
    if unit is None or "XResolution" not in tags:
        return None
    dots, per = tags["XResolution"].value
    scale = unit * per / dots if dots else 0.0
    return scale if 0 < scale < 20 else None


def _number(text: object) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None
