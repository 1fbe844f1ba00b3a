"""Files that hold no picture, less of one than they say, or something else besides."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

from tests.hostile.case import Case
from tests.hostile.pictures import (
    as_png,
    brown_patch,
    encoded,
    png_chunk,
    png_header_only,
    png_with_chunk,
    tiff_chain,
    tiff_file,
)

_CUTS = 24


def broken_groups() -> dict[str, list[Case]]:
    """By what is broken."""
    return {
        "cut short": _cut(),
        "decompression bombs": _bombs(),
        "TIFF directories": _directories(),
        "damaged parts": _damaged(),
        "no picture": _no_picture(),
        "two formats at once": _polyglots(),
        "too small": _small(),
    }


def _cut() -> list[Case]:
    """Whole files cut off at many points, from their first bytes on."""
    picture = brown_patch()
    files = {
        "cut.png": as_png(picture),
        "cut.jpg": encoded(picture, "JPEG"),
        "progressive.jpg": encoded(picture, "JPEG", progressive=True),
        "raw.tif": encoded(picture, "TIFF"),
        "lzw.tif": encoded(picture, "TIFF", compression="tiff_lzw"),
        "deflate.tif": encoded(picture, "TIFF", compression="tiff_adobe_deflate"),
        "tiles.tif": tiff_file(picture, tile=32),
        "cut.bmp": encoded(picture, "BMP"),
        "cut.jp2": encoded(picture, "JPEG2000"),
    }
    found = [Case("empty.png", b"", "empty")]
    for name, data in files.items():
        # The last bytes of a JPEG are its end mark, which may be missing without harm.
        for length in np.linspace(1, len(data) - 40, _CUTS).astype(int):
            whole = "not a PNG" if length < _magic(data) else "damaged"
            found.append(Case(f"{length}-{name}", data[:length], whole))
    found.append(Case("no-end.png", files["cut.png"][:-12], "damaged"))
    found.append(Case("last-byte.png", files["cut.png"][:-1], expected=picture))
    found.append(Case("ended-early.jpg", files["cut.jpg"][:-900] + b"\xff\xd9", "incomplete"))
    return found


def _magic(data: bytes) -> int:
    first = {b"\x89": 8, b"\xff": 3, b"B": 16, b"\0": 12}
    return first.get(data[:1], 4)


def _bombs() -> list[Case]:
    picture = brown_patch()
    png, jpeg = as_png(picture), encoded(picture, "JPEG")
    swollen = zlib.compress(b"\0" * 80_000_000, 1)
    huge_text = b"Comment\0\0" + swollen
    huge_itxt = b"Comment\0\1\0\0\0" + swollen
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    too_much = b"\x89PNG\r\n\x1a\n" + b"".join(
        [png_chunk(b"IHDR", header), png_chunk(b"IDAT", swollen), png_chunk(b"IEND", b"")]
    )
    many = "million pixels"
    return [
        Case("bomb.png", png_header_only(60_000, 60_000), many),
        Case("big.png", png_header_only(12_000, 9_000), many),
        Case("widest.png", png_header_only(2**31 - 1, 2**31 - 1), many),
        Case("line.png", png_header_only(2**31 - 1, 1), many),
        Case("column.png", png_header_only(1, 2**31 - 1), many),
        Case("negative.png", png_header_only(2**32 - 1, 2**32 - 1), many),
        Case("zero.png", png_header_only(0, 0), "PNG"),
        Case("hollow.png", png_header_only(2_000, 2_000), "damaged"),
        Case("hollow-90-million.png", png_header_only(10_000, 9_000), "damaged"),
        Case("bomb.jpg", jpeg_of_size(jpeg, 60_000, 60_000), many),
        Case("widest.jpg", jpeg_of_size(jpeg, 65_535, 65_535), many),
        Case("zero.jpg", jpeg_of_size(jpeg, 0, 0), "JPEG"),
        Case("hollow.jpg", jpeg_of_size(jpeg, 9_000, 9_000), "incomplete"),
        Case("bomb.tif", tiff_file(picture, size=(60_000, 60_000)), many),
        Case("widest.tif", tiff_file(picture, size=(2**32 - 1, 2**32 - 1)), many),
        Case("zero.tif", tiff_file(picture, size=(0, 0)), "TIFF"),
        Case("hollow.tif", tiff_file(picture, size=(9_000, 9_000)), "damaged"),
        Case("long-strip.tif", tiff_file(picture, count=2**32 - 1), expected=picture),
        Case("65535-channels.tif", tiff_file(picture, samples=65_535), "TIFF"),
        Case("text-bomb.png", png_with_chunk(png, b"zTXt", huge_text), "damaged"),
        Case("itxt-bomb.png", png_with_chunk(png, b"iTXt", huge_itxt), "damaged"),
        Case("profile-bomb.png", png_with_chunk(png, b"iCCP", huge_text), "damaged"),
        Case("more-than-it-says.png", too_much, expected=np.zeros((64, 64, 3), np.uint8)),
        Case(
            "deflate-bomb.tif",
            tiff_file(np.zeros((64, 64, 3), np.uint8), body=swollen, compression=8),
            "damaged",
        ),
        *(
            Case(
                f"{count}-texts.png",
                png_with_chunk(png, b"tEXt", b"a\0" + b"b" * 900, count),
                "damaged" if count * 900 > 64 * 2**20 else "",
                expected=picture,
            )
            for count in (10, 10_000)
        ),
    ]


def jpeg_of_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG with another size in its header."""
    frame = jpeg.index(b"\xff\xc0")
    return jpeg[: frame + 5] + struct.pack(">HH", height, width) + jpeg[frame + 9 :]


def _directories() -> list[Case]:
    """TIFF files whose directories are too long, lead nowhere, or lead in circles."""
    picture = brown_patch()
    first, damaged = "Page 1 of", "damaged"
    return [
        Case("loop-to-itself.tif", tiff_chain(picture, [0]), noted=None, expected=picture),
        Case("loop-of-three.tif", tiff_chain(picture, [1, 2, 0]), "", None, picture),
        Case("2000-pages.tif", tiff_chain(picture, range(1, 2001)), "", first, picture),
        Case("next-beyond.tif", tiff_file(picture, following=2**31), "", None, picture),
        Case("next-odd.tif", tiff_file(picture, following=3), "", None, picture),
        Case("directory-beyond.tif", b"II*\0" + struct.pack("<I", 2**31), damaged),
        Case("directory-at-0.tif", b"II*\0" + struct.pack("<I", 0), damaged),
        Case("directory-in-header.tif", b"II*\0" + struct.pack("<I", 4) + bytes(64), damaged),
        Case("65535-entries.tif", b"II*\0" + struct.pack("<IH", 8, 65_535), damaged),
        Case("4000-tags.tif", tiff_file(picture, more_tags=4_000), expected=picture),
        Case("14000-tags.tif", tiff_file(picture, more_tags=14_000), damaged),
        Case("no-tags.tif", b"II*\0" + struct.pack("<IHI", 8, 0, 0), damaged),
        Case("tag-of-4-gb.tif", tiff_file(picture, big_tag=2**32 - 1), "", None, picture),
        Case("tag-of-1-gb.tif", tiff_file(picture, big_tag=2**30), "", None, picture),
        Case("no-strips.tif", tiff_file(picture, offset=2**31), damaged),
        Case("unknown-compression.tif", tiff_file(picture, compression=65_000), "method 65000"),
        Case("old-jpeg.tif", tiff_file(picture, compression=6), "method 6"),
        Case("jpeg-of-nothing.tif", tiff_file(picture, compression=7), damaged),
        Case("lzw-of-nothing.tif", tiff_file(picture, compression=5), damaged),
        Case("g4-of-colour.tif", tiff_file(picture, compression=4), damaged),
        Case("tile-of-0.tif", tiff_file(picture, tile=32, tile_size=(0, 0)), damaged),
        Case("tile-of-2-gb.tif", tiff_file(picture, tile=32, tile_size=(2**30, 2**30)), damaged),
    ]


def _damaged() -> list[Case]:
    picture = brown_patch()
    png, jpeg = as_png(picture), encoded(picture, "JPEG")
    found = []
    for place in np.linspace(40, len(png) - 20, 12).astype(int):
        flipped = bytearray(png)
        flipped[place] ^= 0x10
        found.append(Case(f"bit-{place}.png", bytes(flipped), "PNG"))
    no_palette = png.replace(b"IHDR" + png[16:25], b"IHDR" + png[16:25] + b"", 1)
    wrong_type = bytearray(png)
    wrong_type[25] = 3
    tables = jpeg.replace(b"\xff\xdb", b"\xff\xfe")
    codes = jpeg.replace(b"\xff\xc4", b"\xff\xfe")
    found += [
        Case("palette-missing.png", bytes(wrong_type), "damaged"),
        Case("no-data.png", png[:33] + png_chunk(b"IEND", b""), "damaged"),
        Case("endless-chunk.png", png[:33] + struct.pack(">I", 2**31) + b"IDAT" + png[41:], "PNG"),
        Case("header-twice.png", no_palette[:33] + png[8:], "", None, picture),
        Case("no-tables.jpg", tables, "damaged"),
        Case("no-codes.jpg", codes, expected=picture, tolerance=90),
        Case("no-frame.jpg", jpeg.replace(b"\xff\xc0", b"\xff\xfe"), "damaged"),
        Case("lossless.jpg", jpeg.replace(b"\xff\xc0", b"\xff\xc3"), "damaged"),
        Case("hierarchical.jpg", jpeg.replace(b"\xff\xc0", b"\xff\xc5"), "damaged"),
        Case("end-only.jpg", b"\xff\xd8\xff\xd9", "damaged"),
        Case("markers.jpg", b"\xff\xd8" + b"\xff" * 100_000, "damaged"),
    ]
    return found


def _no_picture() -> list[Case]:
    picture = Image.fromarray(brown_patch())
    kinds = ("GIF", "PPM", "ICO", "TGA", "PDF", "EPS", "PCX", "SGI")
    texts = {
        "text.png": b"Dear colleague, please find enclosed ...\n",
        "page.png": b"<html><script>alert(1)</script></html>",
        "drawing.png": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        "entity.png": b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        "table.tif": b"name,score\n=1+1,3\n",
        "program.exe": b"MZ\x90\0" + bytes(200),
        "program.png": b"\x7fELF\2\1\1" + bytes(200),
        "shell.jpg": b"#!/bin/sh\nrm -rf ~\n",
        "pickle.png": b"cos\nsystem\n(S'id'\ntR.",
        "numbers.png": b"\x93NUMPY\1\0" + bytes(120),
        "slide.dcm": bytes(128) + b"DICM" + bytes(64),
        "zeros.png": bytes(5_000),
        "ones.png": b"\xff" * 5_000,
        "newlines.png": b"\x89PNG\n\x1a\n" + as_png(picture)[8:],
        "mime.png": b"Content-Type: image/png\r\n\r\n" + as_png(picture),
    }
    return [
        *(Case(f"other-{kind}.png", encoded(picture, kind), "not a PNG") for kind in kinds),
        *(
            Case(f"renamed-{kind}.jpg", start + bytes(90), f"is {kind}, not")
            for kind, start in (
                ("HEIC", b"\0\0\0\x18ftypheic"),
                ("AVIF", b"\0\0\0\x1cftypavif"),
                ("JPEG XL", b"\xff\x0a"),
                ("Photoshop", b"8BPS\0\1"),
                ("DICOM", bytes(128) + b"DICM"),
                ("CZI", b"ZISRAWFILE"),
            )
        ),
        *(Case(name, data, "not a PNG") for name, data in texts.items()),
        Case("archive.png", _zipped(b"x"), "not a PNG"),
    ]


def _zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../evil.sh", content)
    return file.getvalue()


def _polyglots() -> list[Case]:
    picture = brown_patch()
    png, tiff = as_png(picture), encoded(picture, "TIFF")
    jpeg = encoded(picture, "JPEG", quality=90)
    seen = np.asarray(Image.open(io.BytesIO(jpeg)))
    script = b"<script>alert(1)</script><?php system($_GET['c']); ?>"
    archive = _zipped(b"rm -rf ~")
    dual = bytearray(tiff_file(picture, gap=160))
    dual[128:132] = b"DICM"
    comment = b"\xff\xfe" + struct.pack(">H", len(script) + 2) + script
    return [
        Case("zip-behind.png", png + archive, expected=picture),
        Case("zip-behind.jpg", jpeg + archive, expected=seen),
        Case("zip-behind.tif", tiff + archive, expected=picture),
        Case("page-behind.png", png + script, expected=picture),
        Case("page-behind.jpg", jpeg + script, expected=seen),
        Case("page-inside.png", png_with_chunk(png, b"tEXt", b"a\0" + script), expected=picture),
        Case("page-inside.jpg", jpeg[:2] + comment + jpeg[2:], expected=seen),
        Case("dicom-too.tif", bytes(dual), expected=picture),
        Case("png-in-tiff.tif", tiff + png, expected=picture),
        Case("jpeg-in-png.png", png_with_chunk(png, b"juNk", jpeg), expected=picture),
        Case("pdf-before.png", b"%PDF-1.7\n" + png, "not a PNG"),
        Case("zip-before.png", archive + png, "not a PNG"),
        Case("gif-before.jpg", b"GIF89a" + jpeg, "not a PNG"),
    ]


def _small() -> list[Case]:
    picture = brown_patch()
    return [
        Case("one-pixel.png", as_png(picture[:1, :1]), "1 x 1 pixels"),
        Case("thread.png", as_png(picture[:, :20]), "20 x 80 pixels"),
        Case("one-pixel.jpg", encoded(picture[:1, :1], "JPEG"), "1 x 1 pixels"),
        Case("one-pixel.tif", encoded(picture[:1, :1], "TIFF"), "1 x 1 pixels"),
        Case("nearly.png", as_png(picture[:31, :31]), "31 x 31 pixels"),
    ]
