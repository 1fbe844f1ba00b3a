"""What Pillow has opened, as an upright 8-bit sRGB picture.

Pixels are taken out in strips, so that a file costs its decoded size and one RGB copy.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile

from her2core.preprocessing.formats.colour_profiles import adobe_rgb
from her2core.preprocessing.formats.decoded_image import Allocate, Picture, SizeLimits, refused
from her2core.preprocessing.formats.samples import Meaning, Samples, picture_of

_ORIENTATION, _EXIF, _INTEROP, _COLOUR_SPACE = 0x0112, 0x8769, 0xA005, 0xA001
_ADOBE_RGB, _UNCALIBRATED = 2, 0xFFFF
# Pillow's modes, and what those become that say what their values are in another way
_MEANINGS = {
    "L": Meaning("grey", 8),
    "LA": Meaning("grey", 8, alpha="straight"),
    "La": Meaning("grey", 8, alpha="premultiplied"),
    "RGB": Meaning("rgb", 8),
    "RGBX": Meaning("rgb", 8),
    "RGBA": Meaning("rgb", 8, alpha="straight"),
    "RGBa": Meaning("rgb", 8, alpha="premultiplied"),
    "CMYK": Meaning("cmyk", 8),
}
_CONVERTED = {"1": "L", "P": "RGB", "PA": "RGBA", "YCbCr": "RGB"}
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
    mode = "RGBA" if "transparency" in image.info else _CONVERTED.get(image.mode, image.mode)
    if mode not in _MEANINGS:
        raise refused(f"stores its pixels in a way without defined brightness (mode {image.mode})")
    width, height = image.size

    def rows(top: int, bottom: int) -> Samples:
        strip = np.asarray(image.crop((0, top, width, bottom)).convert(mode))
        return strip.reshape(bottom - top, width, -1)

    how = orientation, icc, notes, allocate
    return picture_of(rows, (width, height), _MEANINGS[mode], *how)
