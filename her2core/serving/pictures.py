"""What the viewer shows: the address of each picture, and what is drawn when it is asked for.

A path names what is to be drawn; whether it may be asked for is settled before (serving.guard).
Layers are drawn when somebody looks at them first, and their addresses hold for minutes only.
"""

import json
import re
import struct
from dataclasses import dataclass
from typing import Literal

import numpy as np

from her2core.common.palette import MEMBRANE, css
from her2core.preprocessing.patches import Patch, PatchError, Square
from her2core.scores import HER2Score
from her2core.serving.cache import Recent
from her2core.serving.services import Services
from her2core.serving.slide_shelf import ShelfSlide
from her2core.serving.workbench import NoModelError
from her2core.slides import region_map
from her2core.slides.slide import SlideError
from her2core.xai.explanation import Explanation

AREA = "pictures"
# of a slide; one signature is for all of them
TILES = "tiles"
# A larger image is reduced to this: a browser would hold its pixels four times over.
LONGEST = 8192
StainPicture = Literal["cells", "membrane", "scale"]
MapPicture = Literal["heat", "contours"]

# of the small picture by which a patch is found in a worklist
THUMBNAIL_SIDE = 256
_THUMBNAILS_KEPT = 2000

_TILE = re.compile(r"/pictures/slides/([0-9a-f]{16})/tiles/(\d{1,2})/(\d{1,5})/(\d{1,5})")
_REGIONS = re.compile(r"/pictures/slides/([0-9a-f]{16})/regions/(\w+)/\d+")
_IMAGE = re.compile(r"/pictures/([0-9a-f]{64})/image")
_THUMBNAIL = re.compile(r"/pictures/([0-9a-f]{64})/thumbnail")
_OF_SQUARE = re.compile(r"/pictures/([0-9a-f]{64})/(\d{1,6})-(\d{1,6})-(\d{1,6})/(.+)")
_MAP = re.compile(r"(\w+)/([\w-]+)/(\w+)/([0-3])(?:-([0-3]))?/(heat|contours)")
# where the size stands in every PNG
_SIZE = slice(16, 24)
_thumbnails: Recent[str, bytes] = Recent(_THUMBNAILS_KEPT)


class NoPictureError(LookupError):
    """There is no such picture; str(error) is one sentence."""


@dataclass(frozen=True)
class Picture:
    """A picture as it is sent, and its media type."""

    data: bytes
    kind: str


def image_path(sha256: str) -> str:
    """Of a patch's image."""
    return f"/{AREA}/{sha256}/image"


def thumbnail_path(sha256: str) -> str:
    """Of a patch's image, made small."""
    return f"/{AREA}/{sha256}/thumbnail"


def stain_path(patch: Patch, what: StainPicture) -> str:
    """Of what the stain measurement found in the patch's square."""
    return f"{_square_path(patch)}/{what}"


def map_path(patch: Patch, architecture: str, explanation: Explanation, what: MapPicture) -> str:
    """Of a map of the patch's square."""
    target, against = explanation.target, explanation.against
    classes = f"{target:d}" if against is None else f"{target:d}-{against:d}"
    model = f"{architecture}/{explanation.model_id}"
    return f"{_square_path(patch)}/{model}/{explanation.method}/{classes}/{what}"


def tiles_path(key: str) -> str:
    """Of all tiles of a slide: below it lie level, column and row (serving.slide_pictures).

    Signed once, it opens all that lies below it (serving.guard).
    """
    return f"/{AREA}/slides/{key}/{TILES}"


def regions_path(key: str, kind: str, count: int) -> str:
    """Of the regions of a slide in the colours of one kind of map, as far as they are read."""
    return f"/{AREA}/slides/{key}/regions/{kind}/{count}"


def draw(here: Services, path: str) -> Picture:
    """The picture that a path names.

    Raises:
        NoPictureError: there is none, or none any more.
    """
    try:
        if of_tile := _TILE.fullmatch(path):
            key, *place = of_tile.groups()
            level, column, row = map(int, place)
            tile = here.slides.pictures.tile(_slide(here, key).path, level, column, row)
            return Picture(tile, "image/jpeg")
        if of_regions := _REGIONS.fullmatch(path):
            return _of_regions(here, *of_regions.groups())
        if of_image := _IMAGE.fullmatch(path):
            return _image(here, of_image[1])
        if of_thumbnail := _THUMBNAIL.fullmatch(path):
            return _thumbnail(here, of_thumbnail[1])
        if of_square := _OF_SQUARE.fullmatch(path):
            sha256, x, y, size, what = of_square.groups()
            patch = here.images.load(sha256, "patch").with_square(Square(int(x), int(y), int(size)))
            if what in ("cells", "membrane", "scale"):
                return _of_stain(here, patch, what)
            if of_map := _MAP.fullmatch(what):
                return _of_map(here, patch, *of_map.groups())
    except SlideError:  # its sentence names the file, which belongs in no log
        raise NoPictureError("This part of the slide cannot be read.") from None
    except (PatchError, NoModelError, ValueError, OSError) as error:
        raise NoPictureError("This picture cannot be drawn; the server's log says why.") from error
    raise NoPictureError("Nothing is here.")


def _square_path(patch: Patch) -> str:
    square = patch.square
    return f"/{AREA}/{patch.sha256}/{square.x}-{square.y}-{square.size}"


def _slide(here: Services, key: str) -> ShelfSlide:
    slide = here.slides.find(key)
    if slide is None:
        raise NoPictureError("This slide is not here any more.")
    return slide


def _of_regions(here: Services, key: str, kind: str) -> Picture:
    reading = here.slides.state(_slide(here, key)).reading
    if reading is None or kind not in region_map.KINDS:
        raise NoPictureError("There is no such map.")
    drawn = [
        {
            "x": one.region.x,
            "y": one.region.y,
            "size": one.region.size,
            "colour": css(region_map.colour_of(one, kind)),
            "lines": region_map.words(one),
        }
        for one in reading.regions
    ]
    return Picture(json.dumps(drawn).encode(), "application/json")


def _image(here: Services, sha256: str) -> Picture:
    """The file as it is kept, which is lossless; the image reduced where it is very large."""
    kept = here.images.stored(sha256)
    if kept is None:
        raise NoPictureError("The image of this patch is not kept here any more.")
    if max(struct.unpack(">II", kept[_SIZE])) > LONGEST:
        from her2core.preprocessing import screen

        kept = screen.png(screen.enlarged(here.images.load(sha256, "patch").rgb, LONGEST))
    return Picture(kept, "image/png")


def _thumbnail(here: Services, sha256: str) -> Picture:
    """Made at the first look; gone with the image."""
    from her2core.preprocessing import screen

    small = _thumbnails.get(sha256)
    if small is None or here.images.stored(sha256) is None:
        small = screen.thumbnail(here.images.load(sha256, "patch").rgb, THUMBNAIL_SIDE)
        _thumbnails.put(sha256, small)
    return Picture(small, "image/jpeg")


def _of_stain(here: Services, patch: Patch, what: str) -> Picture:
    from her2core.preprocessing import screen
    from her2core.stain.drawing import cells_svg
    from her2core.xai.whereabouts import find_masks

    known = here.stain.known_scale(patch.sha256)
    if what == "scale" and known is not None:
        return _scale(*known)
    report = here.stain.report(patch)
    if report is None:
        raise NoPictureError("The stain of this square was not measured.")
    if what == "scale":
        return _scale(report.um_per_pixel, report.scale_source)
    if what == "cells":
        size = patch.square.size
        return Picture(cells_svg(report, size, size).encode(), "image/svg+xml")
    membrane, _ = find_masks(patch.field(), report.um_per_pixel, here.stain.thresholds)
    drawn = np.zeros((*membrane.shape, 4), np.uint8)
    drawn[membrane] = (*MEMBRANE, 255)
    return Picture(screen.png(drawn), "image/png")


def _scale(um_per_pixel: float, source: str) -> Picture:
    scale = {"umPerPixel": um_per_pixel, "source": source}
    return Picture(json.dumps(scale).encode(), "application/json")


def _of_map(
    here: Services,
    patch: Patch,
    architecture: str,
    model_id: str,
    method: str,
    target: str,
    against: str | None,
    what: str,
) -> Picture:
    from her2core.preprocessing import screen
    from her2core.xai.contours import contours_svg
    from her2core.xai.methods import METHODS
    from her2core.xai.overlay import heat_picture

    if method not in METHODS:
        raise NoPictureError("There is no such heat map.")
    other = None if against is None else HER2Score(int(against))
    explanation = here.workbench.explain(patch, architecture, method, HER2Score(int(target)), other)
    if explanation.model_id != model_id:
        raise NoPictureError("Another model is in use now; reload the page.")
    if what == "contours":
        return Picture(contours_svg(explanation).encode(), "image/svg+xml")
    return Picture(screen.png(heat_picture(explanation)), "image/png")
