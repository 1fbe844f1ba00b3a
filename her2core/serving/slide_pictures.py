"""Pictures of slides for pages, and a region of a slide taken into the worklist as a patch."""

import threading
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from her2core.preprocessing.image_store import Images
from her2core.reviews.records import Origin
from her2core.reviews.store import ReviewStore
from her2core.serving.cache import Recent
from her2core.serving.intake import Taken, take_in
from her2core.settings import UploadLimits
from her2core.slides.reading import region_patch
from her2core.slides.readings import SlideReading
from her2core.slides.regions import Region
from her2core.slides.slide import Slide

_OVERVIEW_SIDE = 1400
_KEPT = 64


class SlidePictures:
    """Makes pictures once and remembers the last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Slide | None = None
        self._overviews: Recent[tuple[Path, int], bytes] = Recent(_KEPT)
        self._regions: Recent[tuple[Path, int, Region], bytes] = Recent(_KEPT)

    def overview(self, path: Path) -> bytes:
        """The whole slide as JPEG, at most 1400 pixels wide and high.

        Raises:
            SlideError: it cannot be read.
        """
        key = (path, _modified(path))
        known = self._overviews.get(key)
        if known is None:
            with self._lock:
                facts = self._slide(path).facts
                share = min(1.0, _OVERVIEW_SIDE / max(facts.width, facts.height))
                size = (max(1, round(facts.width * share)), max(1, round(facts.height * share)))
                pixels = self._slide(path).read(0, 0, facts.width, facts.height, size)
            known = _encoded(".jpg", pixels)
            self._overviews.put(key, known)
        return known

    def region(self, path: Path, reading: SlideReading, region: Region) -> bytes:
        """A region as PNG, with the pixels that the readers saw.

        Raises:
            SlideError: it cannot be read.
        """
        key = (path, _modified(path), region)
        known = self._regions.get(key)
        if known is None:
            with self._lock:
                patch = region_patch(self._slide(path), region, reading.glass)
            known = _encoded(".png", patch.rgb)
            self._regions.put(key, known)
        return known

    def _slide(self, path: Path) -> Slide:
        """The slide, open since it was last looked at where that was the last one."""
        if self._open is None or self._open.path != path or not self._open.is_open:
            if self._open is not None:
                self._open.close()
            self._open = None
            self._open = Slide(path)
        return self._open


def take_region(
    pictures: SlidePictures,
    path: Path,
    reading: SlideReading,
    region: Region,
    images: Images,
    store: ReviewStore,
    limits: UploadLimits,
) -> Taken:
    """Take a region into the worklist as a patch that knows its slide, place and scale.

    Raises:
        SlideError: it cannot be read.
    """
    origin = Origin(reading.name, region.x, region.y, region.size, reading.um_per_pixel)
    name = f"{path.stem} {region.core} x{region.x} y{region.y}.png".replace("  ", " ")
    return take_in(pictures.region(path, reading, region), name, images, store, limits, origin)


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _encoded(ending: str, rgb: npt.NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(ending, cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"a picture could not be written as {ending}")
    return bytes(data)
