"""Pictures of slides, for pages and, as patches, for the worklist."""

import hashlib
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from her2core.preprocessing.patches import Patch, Square
from her2core.reviews.records import Origin
from her2core.serving.cache import Recent
from her2core.slides.reading import region_patch
from her2core.slides.readings import SlideReading
from her2core.slides.regions import Region
from her2core.slides.slide import Slide, SlideError, SlideFacts

RGB = npt.NDArray[np.uint8]
SlideFile = tuple[bytes, str, Origin]  # to be taken in: PNG, name, what it shows of the slide

TILE = 256
# a slide reduced to this is read once, so that a file without a pyramid is not read whole each time
_SMALL = 2048
_TILES, _SMALLS, _REGIONS = 1024, 6, 64
# a whole slide or core, as the log keeps it
_WHOLE_SIDE, _WHOLES = 1400, 8
# each is a process
_OPEN = 3
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)


def coarsest_level(width: int, height: int, side: int = TILE) -> int:
    """The first level at which the whole slide fits into a square of this side.

    Level n shows 2**n pixels as one.
    """
    return max(0, math.ceil(math.log2(max(width, height) / side)))


@dataclass(frozen=True)
class WholePicture:
    """A small square picture that stands for a slide, or a core of it, in the log.

    Attributes:
        png: the picture.
        origin: what it shows of the slide.
        patch: what it becomes when it is taken in.
    """

    png: bytes
    origin: Origin
    patch: Patch


class SlidePictures:
    """Makes pictures once and remembers the last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._opening = threading.Lock()
        self._open: OrderedDict[tuple[Path, int], Slide] = OrderedDict()
        self._tiles: Recent[tuple[Path, int, int, int, int], bytes] = Recent(_TILES)
        self._smalls: Recent[tuple[Path, int], RGB] = Recent(_SMALLS)
        self._wholes: Recent[tuple[Path, int, str], WholePicture] = Recent(_WHOLES)
        self._regions: Recent[tuple[Path, int, Region], bytes] = Recent(_REGIONS)

    def facts(self, path: Path) -> SlideFacts:
        """What the slide's file says of itself.

        Raises:
            SlideError: it cannot be opened.
        """
        return self._slide(path).facts

    def tile(self, path: Path, level: int, column: int, row: int) -> bytes:
        """A tile as JPEG, at most 256 pixels wide and high; at the slide's edges it is narrower.

        Raises:
            SlideError: it cannot be read, or has no such tile.
        """

        def make() -> bytes:
            slide = self._slide(path)
            facts, reach = slide.facts, TILE << level
            x, y = column * reach, row * reach
            width, height = min(reach, facts.width - x), min(reach, facts.height - y)
            if level > coarsest_level(facts.width, facts.height) or min(width, height) <= 0:
                raise SlideError(f"“{slide.name}” has no such part.")
            size = (math.ceil(width / 2**level), math.ceil(height / 2**level))
            return _encoded(".jpg", self._part(slide, level, x, y, width, height, size), _JPEG)

        return self._tiles.made((path, _modified(path), level, column, row), make)

    def region(self, path: Path, reading: SlideReading, region: Region) -> bytes:
        """A region as PNG, with the pixels that the readers saw.

        Raises:
            SlideError: it cannot be read.
        """

        def make() -> bytes:
            return _encoded(".png", region_patch(self._slide(path), region, reading.glass).rgb)

        return self._regions.made((path, _modified(path), region), make)

    def whole(self, path: Path, reading: SlideReading, core: str) -> WholePicture:
        """A small square picture of the slide, or of a core of it.

        Raises:
            SlideError: it cannot be read.
        """

        def make() -> WholePicture:
            origin = _whole(reading, core)
            side = min(_WHOLE_SIDE, origin.size)
            place = (origin.x, origin.y, origin.size, origin.size)
            pixels = self._slide(path).read(*place, (side, side))
            png = _encoded(".png", pixels)
            sha256 = hashlib.sha256(png).hexdigest()
            patch = Patch(origin.slide, sha256, pixels, Square(0, 0, side))
            return WholePicture(png, origin, patch)

        return self._wholes.made((path, _modified(path), core), make)

    def region_file(self, path: Path, reading: SlideReading, region: Region) -> SlideFile:
        """A region as a file for the worklist: a patch that knows its slide, place and scale.

        Raises:
            SlideError: it cannot be read.
        """
        name = f"{path.stem} {region.core} x{region.x} y{region.y}.png".replace("  ", " ")
        place = (region.x, region.y, region.size)
        origin = _origin(reading, *place, region.core)
        return self.region(path, reading, region), name, origin

    def whole_file(self, path: Path, reading: SlideReading, core: str) -> SlideFile:
        """A small picture of the slide, or of a core of it, that its reviews are recorded with.

        Raises:
            SlideError: it cannot be read.
        """
        picture = self.whole(path, reading, core)
        return picture.png, f"{f'{path.stem} {core}'.strip()} whole.png", picture.origin

    def _part(
        self,
        slide: Slide,
        level: int,
        x: int,
        y: int,
        width: int,
        height: int,
        size: tuple[int, int],
    ) -> RGB:
        """A part of the slide, much reduced ones cut from the whole slide as it is kept."""
        facts = slide.facts
        kept = coarsest_level(facts.width, facts.height, _SMALL)
        if level < kept or kept == 0:
            return slide.read(x, y, width, height, size)
        whole = (math.ceil(facts.width / 2**kept), math.ceil(facts.height / 2**kept))
        small = self._smalls.made(
            (slide.path, _modified(slide.path)),
            lambda: slide.read(0, 0, facts.width, facts.height, whole),
        )
        part = small[y >> kept : -(-(y + height) >> kept), x >> kept : -(-(x + width) >> kept)]
        return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _slide(self, path: Path) -> Slide:
        """The slide, open since it was looked at where that was not long ago.

        Raises:
            SlideError: it cannot be opened.
        """
        key = (path, _modified(path))
        with self._opening:
            slide = self._open.pop(key, None)
            if slide is None or not slide.is_open:
                slide = Slide(path)
            self._open[key] = slide
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)[1].close()
            return slide


def _whole(reading: SlideReading, core: str) -> Origin:
    """The square around a slide, or around the regions of a core."""
    facts = reading.facts
    x, y, size = 0, 0, max(facts.width, facts.height)
    if core:
        regions = [one.region for one in reading.regions if one.region.core == core]
        x, y = min(one.x for one in regions), min(one.y for one in regions)
        right = max(one.x + one.size for one in regions)
        size = max(right - x, max(one.y + one.size for one in regions) - y)
    return _origin(reading, x, y, size, core, whole=True)


def _origin(
    reading: SlideReading, x: int, y: int, size: int, core: str, *, whole: bool = False
) -> Origin:
    estimated = reading.scale_source == "nuclei"
    scale = reading.um_per_pixel
    return Origin(reading.name, x, y, size, scale, core, whole=whole, estimated=estimated)


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _encoded(ending: str, rgb: RGB, how: tuple[int, ...] = ()) -> bytes:
    bgr = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(ending, bgr, how)
    if not done:
        raise ValueError(f"a picture could not be written as {ending}")
    return bytes(data)
