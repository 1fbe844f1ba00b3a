"""The strips and tiles of a TIFF directory, unpacked to samples; each to its last byte or refused.

Nothing is filled in: a strip that is shorter than its pixels, a place behind the end of the file
or a method that is not known is an error. Only pieces that the file leaves out on purpose, with
neither place nor length, have no samples.
"""

import io
import itertools
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from her2core.preprocessing.formats import tiff_pages as tag
from her2core.preprocessing.formats.decoded_image import damaged
from her2core.preprocessing.formats.samples import Samples
from her2core.preprocessing.formats.tiff_layout import (
    BILEVEL,
    CCITT_3,
    CCITT_4,
    DEFLATE,
    DEFLATE_OLD,
    JPEG,
    LZMA,
    LZW,
    NONE,
    PACKBITS,
    PICTURES,
    WEBP,
    ZSTD,
    Layout,
)

_BAND_PIXELS = 4_000_000
_T4_OPTIONS = 292
_FILLED_IN = 128
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Window(NamedTuple):
    """A part of a picture, in its pixels."""

    x: int
    y: int
    width: int
    height: int

    def of(self, picture: npt.NDArray[Any], x: int, y: int) -> npt.NDArray[Any]:
        """This part of an array (H, W, ...) whose upper left corner is the pixel (x, y)."""
        top, left = self.y - y, self.x - x
        return picture[top : top + self.height, left : left + self.width]


@dataclass(frozen=True)
class Piece:
    """A part of the picture, and its samples; None where the file has none."""

    window: Window
    samples: Samples | None


def pieces(
    file: BinaryIO, layout: Layout, channels: tuple[int, ...], window: Window
) -> Iterator[Piece]:
    """What lies in a part of the picture, piece by piece, with some samples of each pixel.

    Samples are uint8 or uint16, (height, width, channels).

    Raises:
        UnreadableImageError: a piece is damaged or incomplete.
    """
    end = file.seek(0, 2)
    planes = channels if layout.planar else (0,)
    everything = layout.planar or channels == tuple(range(layout.samples))
    per_plane = layout.across * layout.down
    rows = _numbers(window.y, window.height, layout.piece_height)
    columns = _numbers(window.x, window.width, layout.piece_width)
    for row, column in itertools.product(rows, columns):
        top, left = row * layout.piece_height, column * layout.piece_width
        height = min(layout.piece_height, layout.height - top)
        inside = _overlap(window, Window(left, top, layout.piece_width, height))
        numbers = [plane * per_plane + row * layout.across + column for plane in planes]
        places = [(layout.offsets[number], layout.counts[number]) for number in numbers]
        if all(place == (0, 0) for place in places):
            yield Piece(inside, None)
            continue
        rows_of = [_source(file, end, layout, place, height) for place in places]
        for band in _bands(layout, inside.y - top, inside.height):
            parts = [source(band.start, len(band)) for source in rows_of]
            joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
            here = _overlap(inside, Window(left, top + band.start, layout.piece_width, len(band)))
            seen = here.of(joined, left, top + band.start)
            yield Piece(here, seen if everything else seen[..., list(channels)])


def _numbers(first: int, length: int, side: int) -> range:
    """Which pieces of that side, in their row or column, these pixels lie in."""
    return range(first // side, math.ceil((first + length) / side))


def _overlap(one: Window, other: Window) -> Window:
    left, top = max(one.x, other.x), max(one.y, other.y)
    right = min(one.x + one.width, other.x + other.width)
    bottom = min(one.y + one.height, other.y + other.height)
    return Window(left, top, right - left, bottom - top)


def _bands(layout: Layout, first: int, number: int) -> Iterator[range]:
    """Rows that are turned into samples at once; a long strip costs little beside itself."""
    down = layout.subsampling[1]
    band = max(1, _BAND_PIXELS // layout.piece_width // down) * down
    for start in range(first // down * down, first + number, band):
        yield range(start, min(start + band, first + number))


def _source(
    file: BinaryIO, end: int, layout: Layout, place: tuple[int, int], height: int
) -> Callable[[int, int], Samples]:
    """What gives rows of one strip or tile: from (first, number) to (number, width, samples).

    Args:
        file: the whole file.
        end: its length.
        layout: of its samples.
        place: where the piece lies, and its length.
        height: rows of it that are in the picture.
    """
    offset, count = place
    if offset < 8 or count < 1 or offset >= end:
        raise damaged("TIFF")
    whole = layout.bytes_of(layout.piece_height)
    too_much = whole + layout.bytes_of(1)  # rows more than there should be: the header is wrong
    if layout.compression == NONE:
        if count < layout.bytes_of(height) or too_much <= count <= end - offset:
            raise damaged("TIFF")

        def read(first: int, rows: int) -> Samples:
            file.seek(offset + layout.bytes_of(first))
            return _unpacked(_in_order(file.read(layout.bytes_of(rows)), layout), layout, rows)

        return read
    if offset + count > end:
        raise damaged("TIFF")
    file.seek(offset)
    data = file.read(count)
    if layout.compression in PICTURES:
        picture = _picture(data, layout, height)
        return lambda first, rows: picture[first : first + rows]
    data = _in_order(data, layout)
    if layout.compression in BILEVEL:
        fax = _fax(data, layout, height)
        return lambda first, rows: fax[first : first + rows]
    # The last strip may be as long as the others; what lies below the picture is not looked at.
    unpacked = memoryview(_decompressed(data, layout.compression, too_much))
    if not layout.bytes_of(height) <= len(unpacked) < too_much:
        raise damaged("TIFF")
    start = layout.bytes_of
    return lambda first, rows: _unpacked(unpacked[start(first) : start(first + rows)], layout, rows)


def _in_order(data: bytes, layout: Layout) -> bytes:
    """Bytes with their first bit first."""
    if layout.tags.number(tag.FILL_ORDER, 1) == 2:
        return data.translate(_REVERSED)
    return data


def _decompressed(data: bytes, compression: int, most: int) -> bytes:
    """At most `most` bytes, whatever a hostile piece would swell to."""
    if compression in (DEFLATE, DEFLATE_OLD):
        return zlib.decompressobj().decompress(data, most)
    import imagecodecs

    decode = {
        LZW: imagecodecs.lzw_decode,
        PACKBITS: imagecodecs.packbits_decode,
        LZMA: imagecodecs.lzma_decode,
        ZSTD: imagecodecs.zstd_decode,
    }[compression]
    return bytes(decode(data, out=most))


def _unpacked(data: bytes | memoryview, layout: Layout, rows: int) -> Samples:
    """Bytes of whole rows as samples (rows, piece_width, samples side by side)."""
    if len(data) != layout.bytes_of(rows):
        raise damaged("TIFF")
    shape = rows, layout.piece_width, layout.together
    if layout.subsampling != (1, 1):
        return _from_blocks(data, layout, rows)
    if layout.bits == 8:
        values: npt.NDArray[Any] = np.frombuffer(data, np.uint8).reshape(shape)
    elif layout.bits == 16:
        order = ">u2" if layout.tags.big_endian else "<u2"
        values = np.frombuffer(data, order).astype(np.uint16).reshape(shape)
    else:
        import imagecodecs

        kind = np.uint8 if layout.bits < 8 else np.uint16
        in_a_row = layout.piece_width * layout.together
        values = imagecodecs.packints_decode(bytes(data), kind, layout.bits, runlen=in_a_row)
        values = np.asarray(values).reshape(shape)
    if layout.differences:
        return np.cumsum(values, axis=1, dtype=values.dtype)
    return values


def _from_blocks(data: bytes | memoryview, layout: Layout, rows: int) -> Samples:
    """Subsampled YCbCr, block by block: its luma, then one of each chroma (TIFF 6.0, 21)."""
    across, down = layout.subsampling
    wide, high = math.ceil(layout.piece_width / across), math.ceil(rows / down)
    blocks = np.frombuffer(data, np.uint8).reshape(high, wide, across * down + 2)
    squares = blocks[..., :-2].reshape(high, wide, down, across)
    luma = squares.swapaxes(1, 2).reshape(high * down, wide * across, 1)
    chroma = blocks[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return np.concatenate([luma, chroma], axis=2)[:rows, : layout.piece_width]


def _fax(data: bytes, layout: Layout, rows: int) -> Samples:
    import imagecodecs

    if layout.bits != 1 or layout.together != 1:
        raise damaged("TIFF")
    size = rows, layout.piece_width
    if layout.compression == CCITT_3:
        options = layout.tags.number(_T4_OPTIONS, 0)
        bits = imagecodecs.ccittfax3_decode(data, *size, t4options=options)
    elif layout.compression == CCITT_4:
        bits = imagecodecs.ccittfax4_decode(data, *size)
    else:
        bits = imagecodecs.ccittrle_decode(data, *size)
    return np.asarray(bits, np.uint8).reshape(*size, 1) & np.uint8(1)


def _picture(data: bytes, layout: Layout, rows: int) -> Samples:
    """A piece that is a JPEG, a WebP or a JPEG 2000 of its own."""
    import imagecodecs

    with Image.open(io.BytesIO(data), formats=PICTURES[layout.compression]) as header:
        across, down = header.size
    if across != layout.piece_width or not rows <= down <= layout.piece_height:
        raise damaged("TIFF")
    if layout.compression == JPEG:
        values = _jpeg(data, layout)
    elif layout.compression == WEBP:
        values = imagecodecs.webp_decode(data, hasalpha=layout.together == 4)
    else:
        values = imagecodecs.jpeg2k_decode(data)
    values = np.asarray(values)
    values = values[..., None] if values.ndim == 2 else values
    kind = np.uint8 if layout.bits <= 8 else np.uint16
    if values.shape != (down, across, layout.together) or values.dtype != kind:
        raise damaged("TIFF")
    return values[:rows]


def _jpeg(data: bytes, layout: Layout) -> Any:
    import imagecodecs
    from tifffile.tifffile import jpeg_decode_colorspace

    tags = layout.tags
    # The decoder makes up what is missing at the end, in plain middle grey, and says nothing.
    if layout.bits != 8 or not data.rstrip(b"\0\xff").endswith(b"\xd9"):
        raise damaged("TIFF")
    stored, shown = jpeg_decode_colorspace(
        tags.number(tag.PHOTOMETRIC, 1),
        2 if layout.planar else 1,
        tags.numbers(tag.EXTRA_SAMPLES),
        data[6:10] == b"JFIF",
    )
    tables = tags.value(tag.JPEG_TABLES)
    values = np.asarray(
        imagecodecs.jpeg8_decode(data, tables=tables, colorspace=stored, outcolorspace=shown)
    )
    if (values[-8:, -8:] == _FILLED_IN).all():
        raise damaged("TIFF")
    return values
