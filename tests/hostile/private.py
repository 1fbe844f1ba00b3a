"""Files with a patient's name and a hospital's place wherever their format has room for it."""

from __future__ import annotations

import zlib

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from tests.hostile.pictures import RGBArray, as_png, brown_patch, encoded, png_with_chunk

# What must be found in no stored or exported byte, in any of these encodings.
PLANTED = ("Jane Quillfeather", "GPS-plant-52N13E", "Hospital-plant-Ward7")
_XMP = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>Jane Quillfeather'
    b"</dc:creator><exif:GPSLatitude>GPS-plant-52N13E</exif:GPSLatitude></x:xmpmeta>"
)
_ORIENTATION, _DESCRIPTION, _ARTIST, _GPS, _SUB = 0x0112, 0x010E, 0x013B, 0x8825, 0x8769


def exif_with_names(orientation: int = 1) -> Image.Exif:
    """An EXIF block with a name, a place, a comment and a thumbnail's worth of GPS data."""
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    exif[_DESCRIPTION] = PLANTED[0]
    exif[_ARTIST] = PLANTED[2]
    place = exif.get_ifd(_GPS)
    place[1], place[2] = "N", (52.0, 13.0, 1.0)
    place[27] = PLANTED[1].encode()
    exif.get_ifd(_SUB)[0x9286] = b"ASCII\0\0\0" + PLANTED[0].encode()
    return exif


def files_with_planted_text() -> list[tuple[str, bytes, str, RGBArray, int]]:
    """(name, bytes, word of a note, the picture, grey levels it may be off by) for each place."""
    picture = brown_patch()
    image = Image.fromarray(picture)
    jpeg = encoded(image, "JPEG", quality=95)
    text = PngImagePlugin.PngInfo()
    text.add_text("Patient", PLANTED[0])
    text.add_text("Place", PLANTED[1], zip=True)
    text.add_itxt("Ward", PLANTED[2], "en", PLANTED[2], zip=True)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270], tags[315], tags[305] = PLANTED
    tags[700] = _XMP
    tags[33723] = PLANTED[0].encode()
    plain = as_png(image)
    after_the_end = PLANTED[0].encode() + zlib.compress(PLANTED[1].encode())
    photoshop = b"Photoshop 3.0\0" + PLANTED[0].encode()
    comment = (len(PLANTED[0]) + 2).to_bytes(2, "big") + PLANTED[0].encode()
    app13 = (len(photoshop) + 2).to_bytes(2, "big") + photoshop
    noisy = jpeg[:2] + b"\xff\xfe" + comment + b"\xff\xed" + app13 + jpeg[2:]
    clear = image.convert("RGBA")
    found: list[tuple[str, bytes, str, RGBArray, int]] = [
        ("Jane Quillfeather exif.png", as_png(image, exif=exif_with_names()), "", picture, 0),
        ("exif.jpg", encoded(image, "JPEG", quality=95, exif=exif_with_names()), "", picture, 40),
        ("exif.tif", encoded(image, "TIFF", exif=exif_with_names()), "", picture, 0),
        ("xmp.png", png_with_chunk(plain, b"iTXt", _itxt(_XMP)), "", picture, 0),
        ("xmp.jpg", encoded(image, "JPEG", quality=95, xmp=_XMP), "", picture, 40),
        ("text.png", as_png(image, pnginfo=text), "", picture, 0),
        ("tags.tif", encoded(image, "TIFF", tiffinfo=tags), "", picture, 0),
        ("comment.jpg", noisy, "", picture, 40),
        ("trailer.png", plain + after_the_end, "", picture, 0),
        ("trailer.jpg", jpeg + after_the_end, "", picture, 40),
        ("profile.png", as_png(image, icc_profile=_text() * 9), "ignored", picture, 0),
        ("private-chunk.png", png_with_chunk(plain, b"paTi", _text()), "", picture, 0),
        ("translucent.png", as_png(clear, pnginfo=text), "", picture, 0),
    ]
    for kind, extension, tolerance in (("PNG", "png", 0), ("JPEG", "jpg", 40), ("TIFF", "tif", 0)):
        for orientation in range(2, 9):
            data = encoded(image, kind, exif=exif_with_names(orientation), **_BEST.get(kind, {}))
            upright = _upright(image, orientation)
            found.append((f"turned-{orientation}.{extension}", data, "upright", upright, tolerance))
    return found


_BEST = {"JPEG": {"quality": 95}}


def _text() -> bytes:
    return " ".join(PLANTED).encode()


def _itxt(body: bytes) -> bytes:
    return b"XML:com.adobe.xmp\0\0\0\0\0" + body


def _upright(image: Image.Image, orientation: int) -> RGBArray:
    """By Pillow's own words for what a camera of that orientation needs."""
    how = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }[orientation]
    return np.asarray(image.transpose(how))
