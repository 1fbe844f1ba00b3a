"""Rare but valid files: their picture must come out right, or the reason be said."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
from PIL import Image, ImageCms

from tests.hostile.case import Case
from tests.hostile.pictures import (
    as_png,
    brown_patch,
    encoded,
    png_chunk,
    png_with_chunk,
    sixteen_bits,
    tiff_file,
    upside_down,
)


def unusual_groups() -> dict[str, list[Case]]:
    """By what is unusual."""
    return {
        "plain files": _plain(),
        "colour spaces and bit depths": _colours(),
        "compressions and layouts": _layouts(),
        "several pictures": _several(),
        "profiles": _profiles(),
        "wrong extensions": _extensions(),
    }


def _plain() -> list[Case]:
    picture = brown_patch()
    upright = np.rot90(picture, -1)
    image = Image.fromarray(picture)
    return [
        Case("plain.png", as_png(picture), expected=picture),
        Case("plain.TIF", encoded(picture, "TIFF"), expected=picture),
        Case("plain.jpeg", encoded(picture, "JPEG", quality=90), expected=_jpeg_pixels(picture)),
        Case("turned.png", as_png(image, exif=upside_down(6)), "", "upright", upright),
        Case("turned.tif", encoded(image, "TIFF", exif=upside_down(6)), "", "upright", upright),
        Case("bad-exif.png", as_png(image, exif=b"Exif\0\0II*\0\xff"), expected=picture),
        Case("exif-9.png", as_png(image, exif=upside_down(9)), expected=picture),
        Case("exif-0.png", as_png(image, exif=upside_down(0)), expected=picture),
        Case("endless-exif.png", as_png(image, exif=_cyclic_exif()), expected=picture),
        Case("small.png", as_png(picture[:32, :32]), expected=picture[:32, :32]),
        Case("strip.png", as_png(np.tile(picture, (1, 40, 1))[:32]), expected=_wide(picture)),
    ]


def _wide(picture: np.ndarray) -> np.ndarray:
    return np.tile(picture, (1, 40, 1))[:32]


def _jpeg_pixels(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded(picture, "JPEG", quality=90))))


def _cyclic_exif() -> bytes:
    """An EXIF block whose sub-directory is itself."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 8)


def _colours() -> list[Case]:
    picture = brown_patch()
    image = Image.fromarray(picture)
    grey = np.asarray(image.convert("L"))
    as_grey = np.repeat(grey[..., None], 3, axis=2)
    palette = image.quantize(64)
    few = image.quantize(16)
    line_art = image.convert("1")
    cmyk = image.convert("CMYK")
    clear = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    clear[:40, :, 3] = 0
    on_white = picture.copy()
    on_white[:40] = 255
    keyed = picture.copy()
    keyed[:40] = (1, 2, 3)
    half = np.dstack([grey, np.full(grey.shape, 255, np.uint8)])
    half[:40, :, 1] = 0
    grey_on_white = as_grey.copy()
    grey_on_white[:40] = 255
    holes = palette.copy()
    hole_colour = holes.getpixel((0, 0))
    holed = np.asarray(palette.convert("RGB")).copy()
    holed[np.asarray(palette) == hole_colour] = 255
    lab = Image.fromarray(picture).convert("RGB")
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(lab, to_lab) or lab
    opaque16 = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    deep = picture[..., ::-1].astype(np.float32) / 255
    done, floats = cv2.imencode(".tiff", np.ascontiguousarray(deep))
    assert done
    return [
        Case("grey.png", as_png(grey), expected=as_grey),
        Case("grey.jpg", encoded(image.convert("L"), "JPEG"), expected=as_grey, tolerance=40),
        Case("grey.tif", encoded(image.convert("L"), "TIFF"), expected=as_grey),
        Case("grey-white-is-0.tif", _white_is_zero(grey), expected=as_grey),
        Case("16-bit.png", sixteen_bits(picture, ".png"), "", "16 bits", picture),
        Case("16-bit.tif", sixteen_bits(picture, ".tiff"), "", "16 bits", picture),
        Case("16-bit-grey.png", sixteen_bits(grey, ".png"), "", "16 bits", as_grey),
        Case("16-bit-grey.tif", sixteen_bits(grey, ".tiff"), "", "16 bits", as_grey),
        Case("16-bit-alpha.png", _deep_alpha(opaque16), "", "16 bits", picture),
        Case("palette.png", as_png(palette), expected=np.asarray(palette.convert("RGB"))),
        Case("palette.tif", encoded(palette, "TIFF"), expected=np.asarray(palette.convert("RGB"))),
        Case("4-bit.png", as_png(few, bits=4), expected=np.asarray(few.convert("RGB"))),
        Case("palette-alpha.png", as_png(holes, transparency=hole_colour), "", "white", holed),
        Case("1-bit.png", as_png(line_art), expected=np.asarray(line_art.convert("RGB"))),
        Case("1-bit.tif", encoded(line_art, "TIFF"), expected=np.asarray(line_art.convert("RGB"))),
        Case("alpha.png", as_png(clear), "", "white", on_white),
        Case("alpha.tif", encoded(Image.fromarray(clear), "TIFF"), "", "white", on_white),
        Case("grey-alpha.png", as_png(Image.fromarray(half)), "", "white", grey_on_white),
        Case("colour-key.png", as_png(keyed, transparency=(1, 2, 3)), "", "white", on_white),
        Case("cmyk.tif", encoded(cmyk, "TIFF"), "", "CMYK", picture),
        Case("cmyk.jpg", encoded(cmyk, "JPEG", quality=95), "", "CMYK", picture, 40),
        Case("ycck.jpg", _ycck(image), "", "CMYK", picture, 60),
        Case("rgb.jpg", _rgb_jpeg(image), expected=picture, tolerance=40),
        Case("float.tif", encoded(Image.new("F", (64, 64), 0.5), "TIFF"), "8-bit RGB"),
        Case("float-rgb.tif", floats.tobytes(), "8-bit RGB"),
        Case("32-bit.tif", encoded(Image.new("I", (64, 64), 9), "TIFF"), "8-bit RGB"),
        Case("lab.tif", encoded(lab, "TIFF"), "8-bit RGB"),
        Case("12-bit.jpg", _jpeg_with_precision(encoded(picture, "JPEG"), 12), "damaged"),
        Case("16-precise.jpg", _jpeg_with_precision(encoded(picture, "JPEG"), 16), "damaged"),
        Case("5-channels.tif", tiff_file(picture, samples=5), "5 channels"),
        Case("64-bit.tif", tiff_file(picture, bits=64), "64 bits"),
        Case("3-bit.tif", tiff_file(picture, bits=3), "TIFF"),
        Case("no-photometric.tif", tiff_file(picture, photometric=99), "TIFF"),
    ]


def _deep_alpha(rgba: np.ndarray) -> bytes:
    bgra = np.ascontiguousarray(rgba[..., [2, 1, 0, 3]]).astype(np.uint16) * 257
    done, file = cv2.imencode(".png", bgra)
    assert done
    return bytes(file.tobytes())


def _white_is_zero(grey: np.ndarray) -> bytes:
    return encoded(Image.fromarray(grey), "TIFF", tiffinfo={262: 0})


def _ycck(image: Image.Image) -> bytes:
    """An Adobe YCCK file: the inks as YCbCr, black inverted, transform flag 2."""
    inks = np.asarray(image.convert("CMYK"))
    inverted = 255 - inks
    ycc = np.asarray(Image.fromarray(inks[..., :3]).convert("YCbCr"))
    stored = np.dstack([ycc, inverted[..., 3]])
    # Pillow writes four bands as they are, inverted; its Adobe marker then only needs the flag.
    data = encoded(Image.fromarray(255 - stored, "CMYK"), "JPEG", quality=95, subsampling=0)
    marker = data.find(b"Adobe")
    if marker < 0:
        adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x02"
        return data[:2] + adobe + data[2:]
    return data[: marker + 11] + b"\x02" + data[marker + 12 :]


def _rgb_jpeg(image: Image.Image) -> bytes:
    return encoded(image, "JPEG", quality=95, keep_rgb=True)


def _jpeg_with_precision(jpeg: bytes, bits: int) -> bytes:
    frame = jpeg.index(b"\xff\xc0")
    return jpeg[: frame + 4] + bytes([bits]) + jpeg[frame + 5 :]


def _layouts() -> list[Case]:
    picture = brown_patch()
    image = Image.fromarray(picture)
    line_art = image.convert("1")
    as_lines = np.asarray(line_art.convert("RGB"))
    lossless = ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "zstd", "lzma")
    bilevel = ("group3", "group4", "tiff_ccitt")
    return [
        *(
            Case(f"{how}.tif", encoded(picture, "TIFF", compression=how), expected=picture)
            for how in lossless
        ),
        *(
            Case(f"{how}.tif", encoded(line_art, "TIFF", compression=how), expected=as_lines)
            for how in bilevel
        ),
        Case("in.tif", encoded(picture, "TIFF", compression="jpeg"), "", "", picture, 60),
        Case("big.tif", encoded(picture, "TIFF", big_tiff=True), expected=picture),
        Case("big-endian.tif", tiff_file(picture, order=">"), expected=picture),
        Case("planar.tif", tiff_file(picture, planar=True), expected=picture),
        Case("tiled.tif", tiff_file(picture, tile=32), expected=picture),
        Case("rows.tif", tiff_file(picture, rows_per_strip=1), expected=picture),
        Case("progressive.jpg", encoded(picture, "JPEG", progressive=True), "", "", picture, 60),
        Case("4-2-0.jpg", encoded(picture, "JPEG", subsampling=2), "", "", picture, 90),
        Case("4-4-4.jpg", encoded(picture, "JPEG", subsampling=0), "", "", picture, 60),
        Case("restarts.jpg", encoded(picture, "JPEG", restart_marker_rows=1), "", "", picture, 90),
        Case("optimised.jpg", encoded(picture, "JPEG", optimize=True), "", "", picture, 90),
        *(
            Case(f"level-{level}.png", as_png(picture, compress_level=level), expected=picture)
            for level in (0, 1, 9)
        ),
    ]


def _several() -> list[Case]:
    picture = brown_patch()
    image = Image.fromarray(picture)
    other = Image.new("RGB", image.size, "red")
    more = {"save_all": True, "append_images": [other]}
    flood = {"save_all": True, "append_images": [other] * 40}
    frames = struct.pack(">II", 2**31 - 1, 0)
    return [
        Case("animated.png", as_png(image, **more), "", "first", picture),
        Case("many.png", as_png(image, **flood), "", "first", picture),
        Case("pages.tif", encoded(image, "TIFF", **more), "", "Page 1 of 2", picture),
        Case("many.tif", encoded(image, "TIFF", **flood), "", "Page 1 of 41", picture),
        Case("animated.gif", encoded(image, "GIF", **more), "not a PNG"),
        Case("animated.webp", encoded(image, "WEBP", lossless=True, **more), "", "first", picture),
        Case("renamed-gif.png", encoded(image, "GIF", **more), "not a PNG"),
        Case("renamed-webp.png", encoded(image, "WEBP", lossless=True), "", "WebP", picture),
        Case(
            "2-billion-frames.png",
            png_with_chunk(as_png(image), b"acTL", frames),
            "",
            "first",
            picture,
        ),
        Case("mpo.jpg", encoded(image, "MPO", **more), "", "first", picture, 90),
    ]


def _profiles() -> list[Case]:
    picture = brown_patch()
    image = Image.fromarray(picture)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    lying = struct.pack(">I", 2**31) + srgb[4:]
    no_tags = srgb[:128] + struct.pack(">I", 2**28) + srgb[132:]
    bad = {
        "x": b"x" * 200,
        "one-byte": b"\0",
        "cut": srgb[: len(srgb) // 2],
        "lab": lab,
        "endless-tags": no_tags,
        "zeros": bytes(4096),
        "no-signature": srgb[:36] + b"none" + srgb[40:],
    }
    return [
        *(
            Case(f"{how}.png", as_png(image, icc_profile=icc), "", "ignored", picture)
            for how, icc in bad.items()
        ),
        *(
            Case(f"{how}.tif", encoded(image, "TIFF", icc_profile=icc), "", "ignored", picture)
            for how, icc in bad.items()
        ),
        Case("srgb.png", as_png(image, icc_profile=srgb), expected=picture),
        Case("lying-size.png", as_png(image, icc_profile=lying), expected=picture),
        Case(
            "bad-stream.png",
            png_with_chunk(as_png(image), b"iCCP", b"x\0\0junk"),
            "",
            "ignored",
            picture,
        ),
        Case(
            "gamma.png", png_with_chunk(as_png(image), b"gAMA", b"\0\0\0\1"), "", "gamma", picture
        ),
        Case(
            "usual-gamma.png",
            png_with_chunk(as_png(image), b"gAMA", struct.pack(">I", 45_455)),
            expected=picture,
        ),
        Case("no-cut.png", as_png(image) + png_chunk(b"tEXt", b"after\0the end"), expected=picture),
    ]


def _extensions() -> list[Case]:
    picture = brown_patch()
    png, tiff = as_png(picture), encoded(picture, "TIFF")
    jpeg = encoded(picture, "JPEG", quality=90)
    seen = _jpeg_pixels(picture)
    return [
        Case("photo.png", jpeg, "", "a JPEG", seen),
        Case("photo.tiff", jpeg, "", "a JPEG", seen),
        Case("photo.exe", png, "", "a PNG", picture),
        Case("photo.jpg", png, "", "a PNG", picture),
        Case("photo.svs", tiff, "", "a TIFF", picture),
        Case("photo.JPEG", tiff, "", "a TIFF", picture),
        Case("photo.png.html", png, "", "a PNG", picture),
        Case("no extension", png, expected=picture),
    ]
