"""PNG: checked chunk by chunk, 16 bits and transparency kept apart, declared colours honoured."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image

from her2core.preprocessing.formats.colour_profiles import IGNORED, declared_profile, way_to_srgb
from her2core.preprocessing.formats.decoded_image import Allocate, Picture, SizeLimits, refused
from her2core.preprocessing.formats.pillow_images import (
    SEVERAL,
    declared_icc,
    finished,
    opened,
    orientation_of,
)
from her2core.preprocessing.formats.samples import Meaning, picture_in_memory

_SIGNATURE = 8
_BIT_DEPTH = 8
_KEPT = (b"IHDR", b"cICP", b"sRGB", b"gAMA", b"cHRM", b"iCCP")
_LONGEST_KEPT = 64
# BT.709 primaries, the sRGB curve, RGB, full range
_CICP_SRGB = bytes([1, 13, 0, 1])


def read_png(file: BinaryIO, limits: SizeLimits, allocate: Allocate) -> Picture:
    """Read an open PNG file; see `her2core.preprocessing.image_formats.read_image_file`."""
    with opened(file, "PNG", limits) as image:
        image.verify()  # Pillow would decode a PNG with flipped bits or no end
    chunks = dict(_chunks(file))
    with opened(file, "PNG", limits) as image:
        notes: list[str] = []
        icc = _declared(image, chunks, notes)
        if chunks[b"IHDR"][_BIT_DEPTH] == 16:
            return _sixteen_bits(file, image, icc, notes, allocate)
        return finished(image, allocate, notes, icc)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The beginnings of those chunks before the pixels that say what the colours are."""
    file.seek(_SIGNATURE)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT":
            return
        if kind in _KEPT:
            kept = file.read(min(length, _LONGEST_KEPT))
            yield kind, kept
            file.seek(length - len(kept) + 4, 1)
        else:
            file.seek(length + 4, 1)


def _declared(image: Image.Image, chunks: dict[bytes, bytes], notes: list[str]) -> bytes | None:
    """The profile of the declared colours; None for sRGB.

    The order in which one declaration goes before another is that of the PNG specification.

    Raises:
        UnreadableImageError: colours of another kind, as those of bright displays.
    """
    coding = chunks.get(b"cICP")
    if coding is not None and coding != _CICP_SRGB:
        raise refused("declares colours that are not read here (a cICP entry other than sRGB)")
    if coding is not None or (b"sRGB" in chunks and b"iCCP" not in chunks):
        return None
    if b"iCCP" in chunks:
        if not image.info.get("icc_profile"):
            notes.append(IGNORED)
        return image.info.get("icc_profile")
    if not chunks.keys() & {b"gAMA", b"cHRM"}:
        return declared_icc(image, notes)
    try:
        gamma = white = primaries = None
        if b"gAMA" in chunks:
            gamma = 100_000 / struct.unpack(">I", chunks[b"gAMA"])[0]
        if b"cHRM" in chunks:
            numbers = [value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"])]
            white, primaries = tuple(numbers[:2]), tuple(numbers[2:])
        icc = declared_profile(gamma, white, primaries)
        if icc is not None and _makes_no_profile(icc):
            raise ValueError("the numbers make no profile")
    except Exception:
        notes.append("The declared gamma or primaries make no sense and were ignored.")
        return None
    return icc


def _makes_no_profile(icc: bytes) -> bool:
    faults: list[str] = []
    return way_to_srgb(icc, "RGB", faults) is None and bool(faults)


def _sixteen_bits(
    file: BinaryIO,
    image: Image.Image,
    icc: bytes | None,
    notes: list[str],
    allocate: Allocate,
) -> Picture:
    """A PNG of 16 bits, of which Pillow would keep 8 and forget a transparent grey."""
    import imagecodecs  # only few files need it

    if getattr(image, "is_animated", False):
        notes.insert(0, SEVERAL)
    width, height = image.size
    orientation = orientation_of(image)
    file.seek(0)
    samples = np.asarray(imagecodecs.png_decode(file.read()))
    samples = samples.reshape(height, width, -1)
    channels = samples.shape[2]
    if samples.dtype != np.uint16 or channels > 4:
        raise ValueError("not the samples that the header promises")
    meaning = Meaning(
        "grey" if channels < 3 else "rgb", 16, alpha="none" if channels % 2 else "straight"
    )
    return picture_in_memory(samples, meaning, orientation, icc, notes, allocate)
