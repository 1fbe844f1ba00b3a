"""Files as people and attackers send them, made here in memory: a corpus for every way in.

Each case says what must come of it: either the right picture, or one sentence.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

RGBArray = npt.NDArray[np.uint8]

HOSTILE_NAMES = (
    "<img src=x onerror=alert(1)>.png",
    "=cmd|'/c calc'!A1.png",
    "=1+1.png",
    "+cmd.png",
    "@SUM(A1).png",
    "../../etc/passwd.png",
    "C:\\patients\\Jane Doe\\core.png",
    "core\u202egnp.exe",
    "line\r\nSet-Cookie: a=b.png",
    "\0.png",
    "\ud800.png",
    "**bold** $x^2$ :smile: [a](javascript:alert(1)).png",
    "x" * 400 + ".tiff",
    "",
    "..",
)


@dataclass(frozen=True)
class Case:
    """One file and what must come of it.

    Attributes:
        name: the file's name.
        data: its bytes.
        refused: a word the sentence must hold; empty where the picture is accepted.
        noted: a word one of the patch's notes must hold; empty where nothing need be said.
        expected: the picture where it is accepted.
        tolerance: grey levels it may be off by (lossy formats).
    """

    name: str
    data: bytes
    refused: str = ""
    noted: str = ""
    expected: RGBArray | None = None
    tolerance: int = 0


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


def png_with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """The PNG with one more chunk behind its header."""
    after_header = 8 + 25
    return png[:after_header] + png_chunk(kind, body) + png[after_header:]


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


def cases() -> list[Case]:
    """The whole corpus; every file is small."""
    return [*_broken(), *_unusual()]


def _broken() -> list[Case]:
    picture = brown_patch()
    png, jpeg, tiff = (encoded(picture, kind) for kind in ("PNG", "JPEG", "TIFF"))
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 0x10
    huge_text = b"Comment\0\0" + zlib.compress(b"\0" * 80_000_000)
    lab = Image.new("LAB", (64, 64))
    return [
        Case("empty.png", b"", "empty"),
        Case("cut.png", png[: len(png) // 2], "damaged"),
        Case("no-end.png", png[:-12], "damaged"),
        Case("header-only.png", png[:20], "damaged"),
        Case("cut.jpg", jpeg[: len(jpeg) // 2], "damaged"),
        Case("cut.tif", tiff[: len(tiff) // 2], "damaged"),
        Case("flipped-bit.png", bytes(flipped), "damaged"),
        Case("text.png", b"Dear colleague, please find enclosed ...\n", "not a PNG"),
        Case("page.png", b"<html><script>alert(1)</script></html>", "not a PNG"),
        Case("other.png", encoded(picture, "GIF"), "not a PNG"),
        Case("one-pixel.png", as_png(picture[:1, :1]), "1 x 1 pixels"),
        Case("thread.png", as_png(picture[:, :20]), "20 x 80 pixels"),
        Case("bomb.png", png_header_only(60_000, 60_000), "million pixels"),
        Case("big.png", png_header_only(12_000, 9_000), "million pixels"),
        Case("bomb.jpg", _jpeg_of_size(jpeg, 60_000, 60_000), "million pixels"),
        Case("hollow.png", png_header_only(2_000, 2_000), "damaged"),
        Case("text-bomb.png", png_with_chunk(png, b"zTXt", huge_text), "damaged"),
        Case("profile-bomb.png", png_with_chunk(png, b"iCCP", huge_text), "damaged"),
        Case("float.tif", encoded(Image.new("F", (64, 64), 0.5), "TIFF"), "8-bit RGB"),
        Case("32-bit.tif", encoded(Image.new("I", (64, 64), 9), "TIFF"), "8-bit RGB"),
        Case("lab.tif", encoded(lab, "TIFF"), "8-bit RGB"),
    ]


def _jpeg_of_size(jpeg: bytes, width: int, height: int) -> bytes:
    frame = jpeg.index(b"\xff\xc0")
    return jpeg[: frame + 5] + struct.pack(">HH", height, width) + jpeg[frame + 9 :]


def _unusual() -> list[Case]:
    picture = brown_patch()
    image = Image.fromarray(picture)
    grey = np.asarray(image.convert("L"))
    as_grey = np.repeat(grey[..., None], 3, axis=2)
    palette = image.quantize(64)
    line_art = image.convert("1")
    cmyk = image.convert("CMYK")
    clear = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    clear[:40, :, 3] = 0
    on_white = picture.copy()
    on_white[:40] = 255
    keyed = picture.copy()
    keyed[:40] = (1, 2, 3)
    upright = np.rot90(picture, -1)
    other = Image.new("RGB", image.size, "red")
    several = {"save_all": True, "append_images": [other]}
    jpeg_pixels = np.asarray(Image.open(io.BytesIO(encoded(picture, "JPEG", quality=90))))
    return [
        Case("plain.png", as_png(picture), expected=picture),
        Case("plain.TIF", encoded(picture, "TIFF"), expected=picture),
        Case("lzw.tiff", encoded(picture, "TIFF", compression="tiff_lzw"), expected=picture),
        Case("plain.jpeg", encoded(picture, "JPEG", quality=90), expected=jpeg_pixels),
        Case("no extension", as_png(picture), expected=picture),
        Case("photo.png", encoded(picture, "JPEG", quality=90), "", "a JPEG", jpeg_pixels),
        Case("photo.exe", as_png(picture), "", "a PNG", picture),
        Case("grey.png", as_png(grey), expected=as_grey),
        Case("16-bit.png", sixteen_bits(picture, ".png"), "", "16 bits", picture),
        Case("16-bit.tif", sixteen_bits(picture, ".tiff"), "", "16 bits", picture),
        Case("16-bit-grey.png", sixteen_bits(grey, ".png"), "", "16 bits", as_grey),
        Case("16-bit-grey.tif", sixteen_bits(grey, ".tiff"), "", "16 bits", as_grey),
        Case("palette.png", as_png(palette), expected=np.asarray(palette.convert("RGB"))),
        Case("1-bit.png", as_png(line_art), expected=np.asarray(line_art.convert("RGB"))),
        Case("alpha.png", as_png(clear), "", "white", on_white),
        Case("colour-key.png", as_png(keyed, transparency=(1, 2, 3)), "", "white", on_white),
        Case("cmyk.tif", encoded(cmyk, "TIFF"), "", "CMYK", picture),
        Case("cmyk.jpg", encoded(cmyk, "JPEG", quality=95), "", "CMYK", picture, 40),
        Case("animated.png", as_png(image, **several), "", "first", picture),
        Case("pages.tif", encoded(image, "TIFF", **several), "", "first", picture),
        Case("turned.png", as_png(image, exif=upside_down(6)), "", "upright", upright),
        Case("turned.tif", encoded(image, "TIFF", exif=upside_down(6)), "", "upright", upright),
        Case("bad-exif.png", as_png(image, exif=b"Exif\0\0II*\0\xff"), expected=picture),
        Case("bad-profile.png", as_png(image, icc_profile=b"x" * 200), "", "ignored", picture),
    ]
