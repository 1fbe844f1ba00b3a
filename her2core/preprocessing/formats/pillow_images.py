"""What Pillow has opened, as an upright 8-bit sRGB picture.

Pixels are converted in strips, so that a file costs its decoded size and one RGB copy.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile

from her2core.preprocessing.formats.colour_profiles import ToSRGB, adobe_rgb, way_to_srgb
from her2core.preprocessing.formats.decoded_image import (
    ON_WHITE,
    PRINT_COLOURS,
    TURNED,
    Allocate,
    Picture,
    SizeLimits,
    is_turned,
    refused,
    upright_and_stored,
)

_STRIP_PIXELS = 4_000_000
_ORIENTATION, _EXIF, _INTEROP, _COLOUR_SPACE = 0x0112, 0x8769, 0xA005, 0xA001
_ADOBE_RGB, _UNCALIBRATED = 2, 0xFFFF
_GREY_MODES = frozenset({"1", "L", "LA", "La"})
_PLAIN_MODES = frozenset({"1", "L", "P", "RGB", "RGBX", "YCbCr", "CMYK"})
_ALPHA_MODES = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
SEVERAL = "The file holds several pictures or pages; the first one is shown."


@contextmanager
def opened(file: BinaryIO, kind: str, limits: SizeLimits) -> Iterator[ImageFile.ImageFile]:
    """A file that Pillow reads as its format `kind`, its size checked and no pixel decoded.

    Raises:
        UnreadableImageError: too large or too small.
    """
    # Pillow's own guard raises at twice this number; it must not stand below the chosen limit.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, limits.max_pixels)
    file.seek(0)
    try:
        image = Image.open(file, formats=(kind,))
    except Image.DecompressionBombError:
        raise limits.too_large() from None
    with image:
        limits.check(*image.size)
        yield image


def read_by_pillow(
    kind: str,
) -> Callable[[BinaryIO, SizeLimits, Allocate], Picture]:
    """A reader of a format that needs nothing but Pillow; `kind` is Pillow's name for it."""

    def read(file: BinaryIO, limits: SizeLimits, allocate: Allocate) -> Picture:
        with opened(file, kind, limits) as image:
            notes: list[str] = []
            return finished(image, allocate, notes, declared_icc(image, notes))

    return read


def declared_icc(image: Image.Image, notes: list[str]) -> bytes | None:
    """The profile an image carries, or that of the colour space its EXIF block names."""
    embedded = image.info.get("icc_profile")
    if embedded:
        return bytes(embedded)
    return exif_icc(image.getexif, notes)


def exif_icc(block: Callable[[], Image.Exif], notes: list[str]) -> bytes | None:
    """The profile of what EXIF says about colours; None for sRGB and where nothing is known.

    Cameras declare Adobe RGB by "uncalibrated" and the interoperability index R03.

    Args:
        block: gives the EXIF block; may raise anything.
        notes: what the reviewer should know is added here.
    """
    try:
        exif = block()
        space = exif.get_ifd(_EXIF).get(_COLOUR_SPACE, 0)
        interoperability = str(exif.get_ifd(_INTEROP).get(1, ""))
    except Exception:  # a damaged block says nothing
        return None
    if space == _ADOBE_RGB or interoperability.startswith("R03"):
        notes.append("The EXIF block declares Adobe RGB.")
        return adobe_rgb()
    if space == _UNCALIBRATED:
        notes.append(
            "The EXIF block says that the colours are not sRGB, but not what they are; "
            "they are shown as sRGB and may be off."
        )
    return None


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where the EXIF block is absent or damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1


def finished(
    image: ImageFile.ImageFile,
    allocate: Allocate,
    notes: list[str],
    icc: bytes | None,
) -> Picture:
    """The picture of an opened file.

    Args:
        image: as Pillow opened it.
        allocate: makes the array the picture is written into.
        notes: those there are already.
        icc: the profile of its colours; None for sRGB.

    Raises:
        UnreadableImageError: its values have no defined brightness.
    """
    if getattr(image, "is_animated", False):
        notes.insert(0, SEVERAL)
    orientation = orientation_of(image)
    image.load()
    convert = _converter(image, icc, notes)
    if is_turned(orientation):
        notes.append(TURNED)
    width, height = image.size
    upright, stored = upright_and_stored(width, height, orientation, allocate)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        stored[top:bottom] = np.asarray(convert(image.crop((0, top, width, bottom))))
    return Picture(upright, tuple(notes))


def _converter(
    image: Image.Image, icc: bytes | None, notes: list[str]
) -> Callable[[Image.Image], Image.Image]:
    """Choose how a strip of this image becomes 8-bit RGB; append what the reviewer should know."""
    mode = image.mode
    see_through = mode in _ALPHA_MODES or "transparency" in image.info
    if mode not in _PLAIN_MODES | _ALPHA_MODES:
        raise refused(f"stores its pixels in a way without defined brightness (mode {mode})")
    channels = "CMYK" if mode == "CMYK" else "L" if mode in _GREY_MODES else "RGB"
    way = way_to_srgb(icc, channels, notes)
    if mode == "CMYK":
        notes.append(PRINT_COLOURS)
    if see_through:
        if _is_translucent(image):
            notes.append(ON_WHITE)
        return lambda strip: _in_srgb(way, _on_white(strip))
    return lambda strip: _in_srgb(way, strip)


def _in_srgb(way: ToSRGB | None, strip: Image.Image) -> Image.Image:
    if way is not None:
        return way.image(strip)
    return strip if strip.mode == "RGB" else strip.convert("RGB")


def _is_translucent(image: Image.Image) -> bool:
    if "transparency" in image.info:
        return True
    low, _ = image.getchannel("A" if "A" in image.getbands() else "a").getextrema()
    return isinstance(low, int | float) and low < 255


def _on_white(strip: Image.Image) -> Image.Image:
    straight = {"La": "LA", "RGBa": "RGBA"}.get(strip.mode, strip.mode)
    layer = strip.convert(straight).convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")
