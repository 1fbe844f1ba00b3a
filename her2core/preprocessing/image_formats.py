"""The image formats that are read: one entry each, and everything else follows from it.

The upload field, the reading of folders, the notes and the refusals take their names and file
extensions from `FORMATS`. The content decides the format, never the extension.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from her2core.preprocessing.formats.decoded_image import (
    Allocate,
    Picture,
    RGBArray,
    SizeLimits,
    UnreadableImageError,
    damaged,
)
from her2core.preprocessing.formats.other_images import read_bmp, read_jpeg, read_jpeg_2000
from her2core.preprocessing.formats.pillow_images import read_by_pillow
from her2core.preprocessing.formats.png_images import read_png
from her2core.preprocessing.formats.tiff_images import read_tiff

__all__ = [
    "EXTENSIONS",
    "FORMATS",
    "SIGNATURE_BYTES",
    "DecodedImage",
    "ImageFormat",
    "RGBArray",
    "UnreadableImageError",
    "format_by_content",
    "format_names",
    "other_format",
    "read_image",
    "read_image_file",
]

SIGNATURE_BYTES = 132
# what files of formats that are not read begin with, at an offset
_OTHER_FORMATS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypcrx", "camera raw"),
    (0, b"GIF8", "GIF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (128, b"DICM", "DICOM"),
    (0, b"ZISRAWFILE", "CZI"),
    (0, b"%PDF", "PDF"),
)


@dataclass(frozen=True)
class DecodedImage(Picture):
    """A picture and the name of the `format` its file has."""

    format: str


@dataclass(frozen=True)
class ImageFormat:
    """One format.

    Attributes:
        name: what it is called in notes and refusals.
        extensions: of its files, lower case with the dot.
        signature: a regular expression that the first 16 bytes of a file match.
        read: reads an open file; see `read_image_file`.
    """

    name: str
    extensions: tuple[str, ...]
    signature: bytes
    read: Callable[[BinaryIO, SizeLimits, Allocate], Picture]


FORMATS = (
    ImageFormat("PNG", (".png",), rb"\x89PNG\r\n\x1a\n", read_png),
    ImageFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), rb"\xff\xd8\xff", read_jpeg),
    ImageFormat("TIFF", (".tif", ".tiff"), rb"II[*+]\0|MM\0[*+]", read_tiff),
    # Two letters alone would take many a text for a BMP: its header's length is looked at, too.
    ImageFormat("BMP", (".bmp", ".dib"), rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0", read_bmp),
    ImageFormat(
        "JPEG 2000",
        (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
        rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
        read_jpeg_2000,
    ),
    ImageFormat("WebP", (".webp",), rb"RIFF.{4}WEBP", read_by_pillow("WEBP")),
)
EXTENSIONS = {extension: kind.name for kind in FORMATS for extension in kind.extensions}


def format_names(conjunction: str = "or") -> str:
    """All formats for a sentence: "PNG, JPEG or TIFF"."""
    *others, last = (kind.name for kind in FORMATS)
    return f"{', '.join(others)} {conjunction} {last}"


def format_by_content(start: bytes) -> ImageFormat | None:
    """The format of a file that begins with these bytes, of which 16 are enough."""
    return next((one for one in FORMATS if re.match(one.signature, start, re.DOTALL)), None)


def other_format(start: bytes) -> str | None:
    """What a file is that begins with these `SIGNATURE_BYTES`, of the formats that are not read."""
    known = (name for at, mark, name in _OTHER_FORMATS if start[at : at + len(mark)] == mark)
    return next(known, None)


def read_image(data: bytes, max_pixels: int, min_side: int) -> DecodedImage:
    """Decode the picture of a file of one of the `FORMATS`.

    Args:
        data: the whole file.
        max_pixels: larger images are refused from their header, before anything is allocated.
        min_side: images with a shorter side are refused.

    Raises:
        UnreadableImageError: no such image, damaged, too large, too small, or of a kind whose
            values have no defined brightness (floating point, 32 bits, L*a*b*).
    """
    return read_image_file(io.BytesIO(data), max_pixels, min_side)


def read_image_file(
    file: BinaryIO, max_pixels: int, min_side: int, allocate: Allocate | None = None
) -> DecodedImage:
    """`read_image` of an open file, which is never in memory as a whole where that can be helped.

    Args:
        file: open for reading in binary mode, seekable.
        max_pixels: as in `read_image`.
        min_side: as in `read_image`.
        allocate: makes the array the picture is written into, from its shape (H, W, 3).

    Raises:
        UnreadableImageError: as `read_image`.
    """
    file.seek(0)
    start = file.read(SIGNATURE_BYTES)
    file.seek(0)
    kind = format_by_content(start)
    if kind is None:
        other = other_format(start)
        what = f"is {other}, not" if other else "is not"
        raise UnreadableImageError(
            f"{what} a {format_names()} image; export the patch as one of these and upload that."
        )
    try:
        picture = kind.read(file, SizeLimits(max_pixels, min_side), allocate or _allocated)
    except UnreadableImageError:
        raise
    except MemoryError:
        raise UnreadableImageError(
            "needs more memory than there is for one file; upload a smaller region."
        ) from None
    except Exception as error:  # decoders fail on hostile bytes in ways no list would cover
        raise damaged(kind.name) from error
    return DecodedImage(picture.rgb, picture.notes, kind.name)


def _allocated(shape: tuple[int, int, int]) -> RGBArray:
    return np.empty(shape, np.uint8)
