"""Files of slides behind one interface: size, levels, scale, and any part of any level.

Runs in the process that `her2core.slides.slide_worker` is, never in the caller's: decoders that
read hostile bytes are kept apart. OpenSlide reads the scanners' formats and DICOM, `tiff_slide` any
other TIFF, the decoders of patches any other picture, which is then held whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from her2core.preprocessing.formats.colour_profiles import way_to_srgb
from her2core.preprocessing.image_formats import (
    SIGNATURE_BYTES,
    UnreadableImageError,
    format_by_content,
    other_format,
    read_image_file,
)
from her2core.slides.tiff_slide import COARSEST_DOT_UM, TiffSlide

RGB = npt.NDArray[np.uint8]
# plain pictures are held whole, and an overview without reduced levels reads every pixel
MOST_PLAIN_PIXELS = 400_000_000
# endings under which only OpenSlide's formats are slides; any other file there is a broken one
SCANNERS = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".dcm")
_MOST_SIDE = 2**31 - 1
_LEAST_SIDE = 32
_BAND_PIXELS = 16_000_000
_UM_PER_UNIT = {"inch": 25_400.0, "centimeter": 10_000.0}
# a pixel under an objective of 1x, as nearly all scanners have it
_OBJECTIVE_UM = 10.0


class SlideFile(Protocol):
    """An open slide.

    Attributes:
        format: what kind of file it is, for people.
        levels: (width, height) of each level in pixels, the full resolution first.
        um_per_pixel: what the file says of the full resolution; None where it says nothing.
        notes: sentences on what a person should know.
    """

    format: str
    levels: tuple[tuple[int, int], ...]
    um_per_pixel: float | None
    notes: list[str]

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

    with path.open("rb") as file:
        start = file.read(SIGNATURE_BYTES)
    try:
        kind = openslide.OpenSlide.detect_format(str(path))
        if kind not in (None, "generic-tiff"):
            return _Scanned(openslide.OpenSlide(str(path)))
    except openslide.OpenSlideError as error:
        raise _no_slide(start) from error
    if kind is None and path.suffix.lower() in SCANNERS:
        raise _no_slide(start)
    picture = format_by_content(start)
    if picture is None:
        kind = other_format(start) or "no slide and no picture that is read"
        raise UnreadableImageError(
            f"is {kind if start else 'empty'}; copy it again, or export it as a pyramidal TIFF."
        )
    return TiffSlide(path) if picture.name == "TIFF" else _Plain(path)


def _no_slide(start: bytes) -> UnreadableImageError:
    """The refusal of what OpenSlide cannot read, from the first bytes of the file."""
    if other_format(start) == "DICOM":
        return UnreadableImageError(
            "is DICOM, but no whole slide that can be read; export it as whole-slide microscopy "
            "(modality SM)."
        )
    return damaged()


def damaged() -> UnreadableImageError:
    """The refusal of a slide whose parts do not fit together."""
    return UnreadableImageError(
        "is an incomplete or damaged slide, or of an unusual kind; copy it again from the scanner "
        "or archive, or export it as a pyramidal TIFF."
    )


class _Scanned:
    """What OpenSlide reads."""

    def __init__(self, slide: Any) -> None:
        self._slide = slide
        self.notes: list[str] = []
        said = slide.properties
        self.format = f"{said.get('openslide.vendor', 'unknown')} slide"
        self.levels = tuple(slide.level_dimensions)
        self.um_per_pixel = self._scale()
        profile = slide.color_profile
        icc = None if profile is None else profile.tobytes()
        self._way = way_to_srgb(icc, "RGB", self.notes)

    def part(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        downsample = self._slide.level_downsamples[level]
        corner = (round(x * downsample), round(y * downsample))
        rgba = np.asarray(self._slide.read_region(corner, level, (width, height)))
        colours = rgba[..., :3] if self._way is None else self._way.levels(rgba[..., :3])
        clear = (255 - rgba[..., 3:]).astype(np.uint16)
        # what was not scanned is glass; Pillow gives straight alpha
        laid = (colours.astype(np.uint16) * (255 - clear) + 255 * clear) // 255
        return laid.astype(np.uint8)

    def _scale(self) -> float | None:
        said = self._slide.properties
        sides = [_number(said.get(f"openslide.mpp-{axis}")) for axis in "xy"]
        known = [side for side in sides if side is not None]
        if len(known) == 2:
            return sum(known) / 2
        unit = _UM_PER_UNIT.get(said.get("tiff.ResolutionUnit", ""), 0.0)
        dots = _number(said.get("tiff.XResolution"))
        if unit and dots and unit / dots < COARSEST_DOT_UM:
            return unit / dots
        power = _number(said.get("openslide.objective-power"))
        if not power:
            return None
        self.notes.append(
            f"The file says only that the objective was {power:g}x; {_OBJECTIVE_UM / power:.2f} µm "
            "per pixel were taken for that."
        )
        return _OBJECTIVE_UM / power


class _Plain:
    """Any other picture, whole in memory."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            image = read_image_file(file, MOST_PLAIN_PIXELS, _LEAST_SIDE)
        with Image.open(path) as header:
            dots = header.info.get("dpi", (0, 0))[0]
        scale = _UM_PER_UNIT["inch"] / dots if dots else COARSEST_DOT_UM
        self._rgb = image.rgb
        self.format = image.format
        self.levels: tuple[tuple[int, int], ...] = ((image.rgb.shape[1], image.rgb.shape[0]),)
        self.um_per_pixel = scale if scale < COARSEST_DOT_UM else None
        self.notes = list(image.notes)

    def part(self, level: int, x: int, y: int, width: int, height: int) -> RGB:
        return self._rgb[y : y + height, x : x + width]


def _number(text: object) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None
