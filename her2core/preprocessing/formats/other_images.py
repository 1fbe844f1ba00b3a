"""JPEG, BMP and JPEG 2000: Pillow decodes them, what it does not look at is looked at here."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image

from her2core.preprocessing.formats.decoded_image import (
    Allocate,
    Picture,
    SizeLimits,
    UnreadableImageError,
    damaged,
    refused,
)
from her2core.preprocessing.formats.pillow_images import declared_icc, finished, opened
from her2core.preprocessing.formats.samples import Meaning, picture_in_memory

# what a JPEG decoder fills in, and the same as ink
_FILLED_IN = (128, 127)
_BLOCK, _ENOUGH_TO_TELL = 8, 4
# BMP's fields, counted from the start of the file
_DIB_HEADER, _COLOUR_SPACE, _ENDPOINTS, _PROFILE = 14, 14 + 56, 14 + 60, 14 + 112
_EMBEDDED, _LINKED, _CALIBRATED = b"DEBM", b"KNIL", bytes(4)
_CODESTREAM = b"\xff\x4f\xff\x51"
_JP2_GREY, _JP2_SRGB, _JP2_YCC = 17, 16, 18
_LARGEST_BOX = 16 * 2**20


def read_jpeg(file: BinaryIO, limits: SizeLimits, allocate: Allocate) -> Picture:
    """Read an open JPEG file; see `her2core.preprocessing.image_formats.read_image_file`."""
    with opened(file, "JPEG", limits) as image:
        notes: list[str] = []
        icc = declared_icc(image, notes)
        image.load()
        _check_end(image)
        return finished(image, allocate, notes, icc)


def _check_end(image: Image.Image) -> None:
    """Refuse a JPEG whose data stop before its last block.

    The decoder fills what is missing with middle grey, exactly, and only warns. Beside the block
    before it a missing one may take over some of its colour.
    """
    # a rest of a block that is too narrow to tell is looked at together with the block before it
    left, top = ((side - _ENOUGH_TO_TELL) // _BLOCK * _BLOCK + 1 for side in image.size)
    last = np.asarray(image.crop((left, top, *image.size)))
    if last.min() == last.max() and last.max() in _FILLED_IN:
        raise UnreadableImageError(
            "is an incomplete JPEG, the end of its picture is plain grey; "
            "export it again and upload that."
        )


def read_bmp(file: BinaryIO, limits: SizeLimits, allocate: Allocate) -> Picture:
    """Read an open BMP file; see `her2core.preprocessing.image_formats.read_image_file`."""
    notes: list[str] = []
    icc = _bmp_profile(file, notes)
    _check_fourth_byte(file, limits)
    with opened(file, "BMP", limits) as image:
        image.load()
        if image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
            # Writers that know no opacity leave its bytes at 0; nothing is meant to be invisible.
            image.putalpha(255)
        return finished(image, allocate, notes, icc)


def _check_fourth_byte(file: BinaryIO, limits: SizeLimits) -> None:
    """Refuse 32 bits without masks whose fourth byte, said to be unused, says something.

    Some programs mean opacity by it, others leave it 0 or 255.
    """
    file.seek(0)
    head = file.read(34)
    if len(head) < 34 or struct.unpack_from("<I", head, _DIB_HEADER)[0] < 40:
        return
    (start,), (width, height) = (
        struct.unpack_from("<I", head, 10),
        struct.unpack_from("<ii", head, 18),
    )
    bits, method = struct.unpack_from("<HI", head, 28)
    if (bits, method) != (32, 0) or not 0 < width * abs(height) <= limits.max_pixels:
        return
    file.seek(start)
    fourth = np.frombuffer(file.read(4 * width * abs(height)), np.uint8)[3::4]
    if fourth.size and fourth.min() != fourth.max():
        raise refused("has a further channel and does not say whether it is transparency")


def _bmp_profile(file: BinaryIO, notes: list[str]) -> bytes | None:
    """The profile inside a BMP, None where it has none."""
    head = file.read(_PROFILE + 8)
    (header,) = struct.unpack_from("<I", head, _DIB_HEADER)
    if header < 108:
        return None
    space = head[_COLOUR_SPACE : _COLOUR_SPACE + 4]
    if space == _EMBEDDED and header >= 124:
        start, length = struct.unpack_from("<II", head, _PROFILE)
        file.seek(_DIB_HEADER + start)
        return file.read(min(length, _LARGEST_BOX)) or b"missing"
    if space == _LINKED or (space == _CALIBRATED and any(head[_ENDPOINTS : _ENDPOINTS + 48])):
        notes.append(
            "The file declares colours of its own, which were not applied; the colours may be off."
        )
    return None


@dataclass(frozen=True)
class _Codestream:
    """What a JPEG 2000 file says about its samples.

    Attributes:
        bits: of each sample.
        channels: number of components.
        space: its enumerated colour space; None where there is none.
        icc: its colour profile.
        opacity: whether its last channel is one of opacity.
    """

    bits: int
    channels: int
    space: int | None
    icc: bytes | None
    opacity: bool


def read_jpeg_2000(file: BinaryIO, limits: SizeLimits, allocate: Allocate) -> Picture:
    """Read an open JPEG 2000 file or bare codestream; see `image_formats.read_image_file`."""
    stream = _codestream(file)
    notes: list[str] = []
    colours = stream.channels - stream.opacity
    grey = colours == 1
    known = {None, _JP2_GREY} if grey else {None, _JP2_SRGB, _JP2_YCC}
    if colours not in (1, 3) or stream.space not in known:
        raise refused("holds other channels than grey or red, green and blue")
    with opened(file, "JPEG2000", limits) as image:
        if stream.bits <= 8:
            if image.mode not in ("L", "LA", "RGB", "RGBA"):
                raise damaged("JPEG 2000")
            return finished(image, allocate, notes, stream.icc)
        size = image.size
    if stream.space == _JP2_YCC or stream.bits > 16:
        raise refused(f"stores its colours at {stream.bits} bits in a way that is not read here")
    import imagecodecs  # only few files need it

    file.seek(0)
    samples = np.asarray(imagecodecs.jpeg2k_decode(file.read()))
    samples = samples.reshape(size[1], size[0], stream.channels)
    meaning = Meaning(
        "grey" if grey else "rgb", stream.bits, alpha="straight" if stream.opacity else "none"
    )
    return picture_in_memory(samples, meaning, 1, stream.icc, notes, allocate)


def _codestream(file: BinaryIO) -> _Codestream:
    """Read the boxes of a file, and the size marker of its codestream.

    Raises:
        UnreadableImageError: channels that differ in size or bits, a palette, or signed values.
    """
    space, icc, opacity = None, None, False
    size = os_size(file)
    if file.read(4) == _CODESTREAM:
        file.seek(0)
    else:
        declared = False
        for kind, body in _boxes(file, 0, size):
            if kind == b"colr" and not declared:
                declared = True
                if body[0] == 1:
                    (space,) = struct.unpack_from(">I", body, 3)
                else:
                    icc = body[3:]
            elif kind == b"cdef":
                opacity = _has_opacity(body)
            elif kind in (b"pclr", b"cmap"):
                raise refused("is a JPEG 2000 with a palette, which is not read")
    if file.read(4) != _CODESTREAM:
        raise damaged("JPEG 2000")
    file.seek(2, 1)  # length of the marker
    *_, channels = struct.unpack(">H8IH", file.read(36))
    components = [struct.unpack(">BBB", file.read(3)) for _ in range(min(channels, 5))]
    if len(set(components)) != 1 or components[0][0] & 0x80 or components[0][1:] != (1, 1):
        raise refused("holds channels that differ in size or bits, or signed values")
    return _Codestream(components[0][0] + 1, channels, space, icc, opacity)


def os_size(file: BinaryIO) -> int:
    """Bytes of an open file, which is left at its start."""
    size = file.seek(0, 2)
    file.seek(0)
    return size


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the boxes of a JP2 header; the file is left at its codestream."""
    while start + 8 <= end:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        inside = start + 8
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
            inside += 8
        stop = end if length == 0 else start + length
        if stop <= start or stop > end:
            raise damaged("JPEG 2000")
        if kind == b"jp2c":
            file.seek(inside)
            return
        if kind == b"jp2h":
            yield from _boxes(file, inside, stop)
        elif stop - inside <= _LARGEST_BOX:
            file.seek(inside)
            yield kind, file.read(stop - inside)
        start = stop


def _has_opacity(definitions: bytes) -> bool:
    """Whether the last channel is one of opacity and the others are the colours in their order.

    Raises:
        UnreadableImageError: another arrangement.
    """
    (number,) = struct.unpack_from(">H", definitions)
    channels = sorted(
        struct.unpack_from(">HHH", definitions, 2 + 6 * index) for index in range(number)
    )
    opaque = [(index, 0, index + 1) for index in range(number)]
    if channels == opaque:
        return False
    if channels == [*opaque[:-1], (number - 1, 1, 0)]:
        return True
    raise refused("holds its channels in an order or with a meaning that is not read here")
