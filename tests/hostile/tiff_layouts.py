"""A TIFF written sample by sample in any layout, by nothing that the reader uses to read it."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import imagecodecs
import numpy as np

_METHODS = {"none": 1, "lzw": 5, "deflate": 8, "packbits": 32773, "zstd": 50000, "lzma": 34925}
_SHORT, _LONG, _LONG8 = 3, 4, 16
_LETTER = {1: "B", _SHORT: "H", _LONG: "I", 5: "II", 7: "B", 13: "I", _LONG8: "Q"}


def written_tiff(
    samples: np.ndarray,
    bits: int,
    photometric: int,
    *,
    planar: bool = False,
    packing: str = "none",
    predictor: bool = False,
    tile: tuple[int, int] | None = None,
    rows: int = 9,
    order: str = "<",
    big: bool = False,
    extra: tuple[int, ...] = (),
    tags: Mapping[int, tuple[int, Any]] | None = None,
    left_out: tuple[int, ...] = (),
    reversed_bits: bool = False,
) -> bytes:
    """One picture as a TIFF file.

    Args:
        samples: whole numbers below 2**bits, (height, width, samples).
        bits: of a sample, 1 to 16.
        photometric: what the samples mean.
        planar: whether each sample has strips or tiles of its own.
        packing: one of "none", "lzw", "deflate", "packbits", "zstd" and "lzma".
        predictor: store differences to the sample on the left (8 and 16 bits).
        tile: width and height of tiles; None for strips.
        rows: of a strip.
        order: "<" or ">".
        big: whether to write a BigTIFF.
        extra: meaning of the samples behind the colours.
        tags: more entries, or others in place of the usual ones: (type, values).
        left_out: pieces without place and length.
        reversed_bits: store the first bit of a byte last.
    """
    height, width, channels = samples.shape
    across, down = tile or (width, rows)
    planes = [samples[..., n : n + 1] for n in range(channels)] if planar else [samples]
    parts = []
    for plane in planes:
        for top in range(0, height, down):
            for left in range(0, width, across):
                piece = plane[top : top + down, left : left + across]
                if tile:
                    lacking = ((0, down - piece.shape[0]), (0, across - piece.shape[1]), (0, 0))
                    piece = np.pad(piece, lacking, mode="edge")
                data = _packed(piece, bits, order, predictor)
                if packing == "deflate":
                    data = zlib.compress(data)
                elif packing != "none":
                    data = bytes(getattr(imagecodecs, f"{packing}_encode")(data))
                parts.append(data)
    if reversed_bits:
        swap = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
        parts = [part.translate(swap) for part in parts]
    body, places = b"", []
    start = 16 if big else 8
    for number, part in enumerate(parts):
        if number in left_out:
            places.append((0, 0))
            continue
        places.append((start + len(body), len(part)))
        body += part + bytes(len(part) % 2)
    offsets, counts = zip(*places, strict=True)
    entries: dict[int, tuple[int, Any]] = {
        256: (_LONG, (width,)),
        257: (_LONG, (height,)),
        258: (_SHORT, (bits,) * channels),
        259: (_SHORT, (_METHODS[packing],)),
        262: (_SHORT, (photometric,)),
        277: (_SHORT, (channels,)),
        284: (_SHORT, (2 if planar else 1,)),
    }
    if tile:
        entries |= {322: (_SHORT, (across,)), 323: (_SHORT, (down,))}
        entries |= {324: (_LONG, offsets), 325: (_LONG, counts)}
    else:
        entries |= {273: (_LONG, offsets), 278: (_LONG, (rows,)), 279: (_LONG, counts)}
    if predictor:
        entries[317] = (_SHORT, (2,))
    if reversed_bits:
        entries[266] = (_SHORT, (2,))
    if extra:
        entries[338] = (_SHORT, extra)
    entries |= tags or {}
    return _file(body, entries, order, big)


def joined_tiff(pages: list[tuple[bytes, dict[int, tuple[int, Any]]]]) -> bytes:
    """Several pictures, each its uncompressed bytes and its entries, as one little-endian file."""
    file = bytearray(b"II*\0" + bytes(4))
    link = 4
    for body, entries in pages:
        place = len(file)
        file += body + bytes(len(body) % 2)
        full = {273: (_LONG, (place,)), 279: (_LONG, (len(body),))} | entries
        struct.pack_into("<I", file, link, len(file))
        directory = _directory(full, "<", False, len(file))
        link = len(file) + 2 + 12 * len(full)
        file += directory
    return bytes(file)


def _packed(piece: np.ndarray, bits: int, order: str, predictor: bool) -> bytes:
    values = piece.astype(np.uint16)
    if predictor:
        values[:, 1:] = values[:, 1:] - values[:, :-1]
    if bits == 8:
        return values.astype(np.uint8).tobytes()
    if bits == 16:
        return values.astype(f"{order}u2").tobytes()
    rows = values.reshape(len(values), -1)
    each = rows[..., None] >> np.arange(bits - 1, -1, -1, dtype=np.uint16) & 1
    return np.packbits(each.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def _file(body: bytes, entries: dict[int, tuple[int, Any]], order: str, big: bool) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    place = (16 if big else 8) + len(body)
    if big:
        head = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, place)
    else:
        head = mark + struct.pack(f"{order}HI", 42, place)
    return head + body + _directory(entries, order, big, place)


def _directory(entries: dict[int, tuple[int, Any]], order: str, big: bool, place: int) -> bytes:
    """The directory that stands at `place`, with the values that do not fit it behind it."""
    inside = 8 if big else 4
    count, offset, length = ("Q", "Q", 20) if big else ("H", "I", 12)
    behind = place + struct.calcsize(f"={count}{offset}") + length * len(entries)
    table, values = struct.pack(f"{order}{count}", len(entries)), b""
    for code, (kind, numbers) in sorted(entries.items()):
        if isinstance(numbers, bytes):
            value, number = numbers, len(numbers)
        else:
            number = len(numbers) // (2 if kind == 5 else 1)
            value = struct.pack(f"{order}{len(numbers)}{_LETTER[kind][0]}", *numbers)
        if len(value) > inside:
            where = struct.pack(f"{order}{offset}", behind + len(values))
            values += value + bytes(len(value) % 2)
            value = where
        numbered = struct.pack(f"{order}HH{offset}", code, kind, number)
        table += numbered + value.ljust(inside, b"\0")
    return table + bytes(struct.calcsize(f"={offset}")) + values


def blocks_of(ycbcr: np.ndarray, across: int, down: int) -> bytes:
    """YCbCr samples (H, W, 3) as TIFF keeps them with subsampled chroma: block by block."""
    height, width = ycbcr.shape[:2]
    blocks = b""
    for top in range(0, math.ceil(height / down) * down, down):
        for left in range(0, math.ceil(width / across) * across, across):
            block = np.pad(ycbcr, ((0, down), (0, across), (0, 0)), mode="edge")
            block = block[top : top + down, left : left + across]
            blocks += block[..., 0].tobytes() + bytes(block[..., 1:].mean(axis=(0, 1)).astype("u1"))
    return blocks
