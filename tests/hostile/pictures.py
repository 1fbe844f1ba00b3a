"""The picture behind every case, and the means to write it as a file of any kind."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

RGBArray = npt.NDArray[np.uint8]


def brown_patch(width: int = 96, height: int = 80) -> RGBArray:
    """Brown rings round blue nuclei on pale glass by Beer-Lambert: uint8 (height, width, 3)."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    radius = np.hypot((x % 24) - 12 + 2 * np.sin(y / 17), (y % 24) - 12)
    nucleus = 0.7 / (1 + np.exp((radius - 5) * 2))
    membrane = 0.9 * np.exp(-(((radius - 9) / 1.5) ** 2)) * (0.4 + 0.6 * x / width)
    density = nucleus[..., None] * (0.65, 0.70, 0.29) + membrane[..., None] * (0.27, 0.57, 0.78)
    return np.round(243 * 10**-density).astype(np.uint8)


def encoded(picture: RGBArray | Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file of Pillow's format `kind`."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def as_png(picture: RGBArray | Image.Image, **options: Any) -> bytes:
    """The picture as PNG bytes."""
    return encoded(picture, "PNG", **options)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk with its length and a right checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header_only(width: int, height: int) -> bytes:
    """A PNG which promises a picture of that size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 64))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def png_with_chunk(png: bytes, kind: bytes, body: bytes, times: int = 1) -> bytes:
    """The PNG with one more chunk, or `times` of it, behind its header."""
    after_header = 8 + 25
    return png[:after_header] + png_chunk(kind, body) * times + png[after_header:]


def tiff_file(
    picture: RGBArray,
    *,
    order: str = "<",
    size: tuple[int, int] | None = None,
    samples: int = 3,
    bits: int = 8,
    photometric: int = 2,
    planar: bool = False,
    tile: int = 0,
    tile_size: tuple[int, int] | None = None,
    rows_per_strip: int = 0,
    compression: int = 1,
    body: bytes | None = None,
    offset: int | None = None,
    count: int | None = None,
    following: int = 0,
    more_tags: int = 0,
    big_tag: int = 0,
    gap: int = 0,
) -> bytes:
    """A TIFF written entry by entry, so that each may lie.

    Args:
        picture: uint8 (h, w, 3), stored without compression unless `body` is given.
        order: "<" or ">".
        size: width and height the header claims.
        samples: channels it claims.
        bits: bits per sample it claims.
        photometric: meaning of the samples it claims.
        planar: store one plane after another.
        tile: side of square tiles; 0 for strips.
        tile_size: width and height of a tile it claims.
        rows_per_strip: rows in a strip; 0 for one strip.
        compression: method it claims.
        body: the one strip's bytes.
        offset: where it claims the first strip lies.
        count: how long it claims the first strip is.
        following: where it claims the next directory lies.
        more_tags: private entries besides.
        big_tag: length a private entry claims, bytes.
        gap: unused bytes behind the header.
    """
    height, width = picture.shape[:2]
    claimed = size or (width, height)
    if body is not None:
        parts = [body]
    elif tile:
        padded = np.zeros((-(-height // tile) * tile, -(-width // tile) * tile, 3), np.uint8)
        padded[:height, :width] = picture
        parts = [
            padded[top : top + tile, left : left + tile].tobytes()
            for top in range(0, height, tile)
            for left in range(0, width, tile)
        ]
    elif planar:
        parts = [picture[..., channel].tobytes() for channel in range(3)]
    else:
        rows = rows_per_strip or height
        parts = [picture[top : top + rows].tobytes() for top in range(0, height, rows)]
    start = 8 + gap
    places, position = [], start
    for part in parts:
        places.append(position)
        position += len(part)
    lengths = [len(part) for part in parts]
    if offset is not None:
        places[0] = offset
    if count is not None:
        lengths[0] = count
    if tile:
        across, down = tile_size or (tile, tile)
        where = [(322, 4, [across]), (323, 4, [down]), (324, 4, places), (325, 4, lengths)]
    else:
        where = [(273, 4, places), (278, 4, [rows_per_strip or claimed[1]]), (279, 4, lengths)]
    entries = [
        (256, 4, [claimed[0]]),
        (257, 4, [claimed[1]]),
        (258, 3, [bits] * min(samples, 8)),
        (259, 3, [compression]),
        (262, 3, [photometric]),
        *where,
        (277, 3, [samples]),
        (284, 3, [2 if planar else 1]),
        *((51_000 + number, 3, [number % 7]) for number in range(more_tags)),
    ]
    entries.sort(key=lambda entry: entry[0])
    directory = position + position % 2
    behind = directory + 2 + 12 * (len(entries) + bool(big_tag)) + 4
    packed, values = b"", b""
    for tag, kind, numbers in entries:
        value = struct.pack(f"{order}{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        if len(value) > 4:
            place = struct.pack(f"{order}I", behind + len(values))
            values += value + b"\0" * (len(value) % 2)
            value = place
        packed += struct.pack(f"{order}HHI", tag, kind, len(numbers)) + value.ljust(4, b"\0")
    if big_tag:
        packed += struct.pack(f"{order}HHII", 65_000, 7, big_tag, 8)
    number_of_entries = len(entries) + bool(big_tag)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, directory)
    file = head + bytes(gap) + b"".join(parts) + b"\0" * (position % 2)
    file += struct.pack(f"{order}H", number_of_entries) + packed
    return file + struct.pack(f"{order}I", following) + values


def tiff_chain(picture: RGBArray, following: Iterable[int]) -> bytes:
    """A TIFF of one strip and several directories; `following` names the next one of each."""
    links = list(following)
    single = tiff_file(picture)
    (start,) = struct.unpack_from("<I", single, 4)
    (number,) = struct.unpack_from("<H", single, start)
    length = 2 + 12 * number + 4
    body = single[start : start + length - 4]
    # Values that do not fit an entry stay where the single file has them, behind its directory.
    base = len(single) + len(single) % 2
    places = [start, *(base + length * index for index in range(len(links) + 1))]
    file = bytearray(single.ljust(base, b"\0"))
    for index, link in enumerate(links):
        where = struct.pack("<I", places[link] if link < len(places) else 0)
        if index == 0:
            file[start + length - 4 : start + length] = where
        else:
            file += body + where
    if links and max(links) >= len(links):
        file += body + struct.pack("<I", 0)
    return bytes(file)


def upside_down(orientation: int) -> Image.Exif:
    """An EXIF block with that orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def sixteen_bits(picture: RGBArray, extension: str) -> bytes:
    """The picture at 16 bits a channel, each value the 8-bit one times 257."""
    bgr = picture[..., ::-1] if picture.ndim == 3 else picture
    done, file = cv2.imencode(extension, np.ascontiguousarray(bgr).astype(np.uint16) * 257)
    assert done
    return bytes(file.tobytes())


def jpeg_of_many_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive grey JPEG whose scans all say "nothing new here", at great length to read."""
    blocks = -(-width // 8) * -(-height // 8)

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    def one_code(table: int, symbol: int) -> bytes:
        return segment(0xC4, bytes([table, 1] + [0] * 15 + [symbol]))

    # End-of-band runs of 14 more bits: each passes over at most 32,767 blocks.
    runs, bits = blocks, ""
    while runs > 0:
        run = min(runs, 32_767)
        length = run.bit_length() - 1
        runs -= run
        bits += "0" + format(run - (1 << length), f"0{length}b") if length == 14 else ""
    bits += "1" * (-len(bits) % 8)
    body = int(bits or "1" * 8, 2).to_bytes(max(1, len(bits) // 8), "big")
    scan = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + body.replace(b"\xff", b"\xff\0")
    dc_bits = "0" * blocks
    dc_body = int("0" + dc_bits, 2).to_bytes(-(-blocks // 8), "big")
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, bytes([0] + [1] * 64)),
            segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])),
            one_code(0x00, 0),
            one_code(0x10, 0xE0),
            segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + dc_body,
            scan * scans,
            b"\xff\xd9",
        ]
    )


def peak_mib(pid: int) -> float:
    """Most memory a running process has had resident so far, MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and only its entry is left."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
