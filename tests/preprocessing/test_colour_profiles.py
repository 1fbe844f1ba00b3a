"""Declared colours: decided by what they do, never by a name, and honoured or said."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from her2core.preprocessing.formats.colour_profiles import D65, IGNORED, SRGB_PRIMARIES
from her2core.preprocessing.image_formats import UnreadableImageError, read_image
from tests import hostile
from tests.hostile.tiff_layouts import written_tiff

PICTURE = hostile.brown_patch()
ADOBE_PRIMARIES = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
CONVERTED = "The colours were converted from those the file declares to sRGB."


def read(data: bytes) -> Any:
    return read_image(data, 10**8, 32)


def off(data: bytes, expected: np.ndarray = PICTURE) -> int:
    return int(np.abs(read(data).rgb.astype(int) - expected).max())


def profile(
    gamma: float, primaries: tuple[float, ...] = SRGB_PRIMARIES, name: str = "RGB built-in"
) -> bytes:
    """A profile that does this, under any name of twelve letters."""
    icc = bytes(imagecodecs.cms_profile("rgb", whitepoint=D65, primaries=primaries, gamma=gamma))
    assert "RGB built-in".encode("utf-16-be") in icc
    return icc.replace("RGB built-in".encode("utf-16-be"), name.encode("utf-16-be"))


def stored_with(gamma: float, top: int) -> np.ndarray:
    """The picture as values 0 to `top` of a device with the sRGB primaries and that gamma."""
    value = PICTURE / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.round(linear ** (1 / gamma) * top).astype(np.uint16)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2, 2.6])
@pytest.mark.parametrize("name", ["RGB built-in", "sRGB IEC6196"])
def test_a_profile_is_judged_by_its_curve_and_not_by_its_name(gamma, name):
    icc = profile(gamma, name=name)
    seen = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    assert seen.strip() == name
    deep = stored_with(gamma, 65_535)
    tags = {34675: (7, icc)}
    for planar in (False, True):
        tiff = written_tiff(deep, 16, 2, planar=planar, tags=tags)
        assert off(tiff) <= 2
        assert CONVERTED in read(tiff).notes
    assert off(with_icc(bytes(imagecodecs.png_encode(deep)), icc)) <= 2
    shallow = stored_with(gamma, 255).astype(np.uint8)
    # Eight bits of a dark linear value hold fewer shades than sRGB shows of it.
    assert off(hostile.as_png(shallow, icc_profile=icc)) <= (8 if gamma == 1 else 2)


def with_icc(png: bytes, icc: bytes) -> bytes:

    return hostile.png_with_chunk(png, b"iCCP", b"a\0\0" + zlib.compress(icc))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "JPEG2000"])
def test_srgb_under_any_name_changes_nothing_and_needs_no_note(kind):
    icc = imagecodecs.cms_profile("srgb")
    plain = read(hostile.encoded(PICTURE, kind))
    declared = read(hostile.encoded(PICTURE, kind, icc_profile=icc))
    assert np.array_equal(plain.rgb, declared.rgb)
    assert declared.notes == ()


def test_wider_primaries_are_converted_though_the_curve_is_alike():
    icc = profile(2.2, ADOBE_PRIMARIES, "sRGB IEC6196")
    assert off(hostile.as_png(PICTURE, icc_profile=icc)) > 8
    assert read(hostile.as_png(PICTURE, icc_profile=icc)).notes == (CONVERTED,)


def test_a_profile_of_a_grey_scale_is_converted_at_8_and_16_bits():
    icc = bytes(imagecodecs.cms_profile("gray", gamma=1.0))
    deep = stored_with(1.0, 65_535)[..., :1]
    expected = np.repeat(PICTURE[..., :1], 3, axis=2)
    assert off(written_tiff(deep, 16, 1, tags={34675: (7, icc)}), expected) <= 2
    eight = Image.fromarray((deep[..., 0] >> 8).astype(np.uint8))
    assert CONVERTED in read(hostile.as_png(eight, icc_profile=icc)).notes


def test_a_profile_for_colours_is_used_for_grey_too():
    deep = stored_with(1.8, 65_535)[..., :1]
    expected = np.repeat(PICTURE[..., :1], 3, axis=2)
    assert off(written_tiff(deep, 16, 1, tags={34675: (7, profile(1.8))}), expected) <= 2


def test_a_profile_for_another_kind_of_picture_is_said():
    grey = bytes(imagecodecs.cms_profile("gray", gamma=1.0))
    assert read(hostile.as_png(PICTURE, icc_profile=grey)).notes == (IGNORED,)
    cmyk = hostile.encoded(
        Image.fromarray(PICTURE).convert("CMYK"), "TIFF", icc_profile=profile(1.8)
    )
    assert IGNORED in read(cmyk).notes
    assert off(cmyk) <= 2


def gamma_chunk(png: bytes, display: float) -> bytes:
    return hostile.png_with_chunk(png, b"gAMA", struct.pack(">I", round(100_000 / display)))


def primaries_chunk(png: bytes, primaries: tuple[float, ...]) -> bytes:
    numbers = [round(value * 100_000) for value in (*D65, *primaries)]
    return hostile.png_with_chunk(png, b"cHRM", struct.pack(">8I", *numbers))


@pytest.mark.parametrize("gamma", [1.0, 1.8])
def test_the_gamma_of_a_png_is_honoured(gamma):
    deep = bytes(imagecodecs.png_encode(stored_with(gamma, 65_535)))
    assert off(gamma_chunk(deep, gamma)) <= 2
    assert CONVERTED in read(gamma_chunk(deep, gamma)).notes
    shallow = hostile.as_png(stored_with(gamma, 255).astype(np.uint8))
    assert off(gamma_chunk(shallow, gamma)) <= (8 if gamma == 1 else 2)


def test_the_usual_gamma_and_primaries_of_a_png_mean_srgb():
    png = primaries_chunk(gamma_chunk(hostile.as_png(PICTURE), 2.2), SRGB_PRIMARIES)
    assert off(png) == 0
    assert read(png).notes == ()


def test_the_primaries_of_a_png_are_honoured():
    png = primaries_chunk(gamma_chunk(hostile.as_png(PICTURE), 2.2), ADOBE_PRIMARIES)
    by_profile = hostile.as_png(PICTURE, icc_profile=profile(2.2, ADOBE_PRIMARIES))
    assert off(png, read(by_profile).rgb) <= 8  # the usual gamma is read as the sRGB curve
    assert off(png) > 8
    assert read(png).notes == (CONVERTED,)


def test_srgb_or_a_profile_of_a_png_goes_before_its_gamma():
    linear = gamma_chunk(hostile.as_png(PICTURE), 1.0)
    assert off(hostile.png_with_chunk(linear, b"sRGB", b"\0")) == 0
    with_profile = hostile.as_png(PICTURE, icc_profile=imagecodecs.cms_profile("srgb"))
    assert off(gamma_chunk(with_profile, 1.0)) == 0


def test_a_png_of_another_coding_is_refused_and_srgb_is_not():
    png = hostile.as_png(PICTURE)
    assert off(hostile.png_with_chunk(png, b"cICP", bytes([1, 13, 0, 1]))) == 0
    with pytest.raises(UnreadableImageError, match="cICP"):
        read(hostile.png_with_chunk(png, b"cICP", bytes([9, 16, 0, 1])))


def exif_of(space: int, index: str | None) -> Image.Exif:
    exif = Image.Exif()
    inner: dict[int, Any] = {0xA001: space}
    if index is not None:
        inner[0xA005] = {1: index}
    exif[0x8769] = inner
    written = Image.Exif()  # as Pillow reads it from a file; only such a one can go into a TIFF
    written.load(exif.tobytes())
    return written


def tiff_with_exif(space: int, index: str) -> bytes:
    """A TIFF whose EXIF directory and the one below it stand at its end."""
    place = len(written_tiff(PICTURE, 8, 2, tags={34665: (4, (0,))}))
    below = place + 2 + 2 * 12 + 4
    data = written_tiff(PICTURE, 8, 2, tags={34665: (4, (place,))})
    data += struct.pack("<HHHII", 2, 0xA001, 3, 1, space) + struct.pack(
        "<HHII", 0xA005, 4, 1, below
    )
    data += bytes(4) + struct.pack("<HHHI4sI", 1, 1, 2, 4, index.encode() + b"\0", 0)
    return data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_adobe_rgb_declared_by_exif_only_is_honoured_and_said(kind):
    if kind == "TIFF":
        data = tiff_with_exif(0xFFFF, "R03")
    else:
        data = hostile.encoded(PICTURE, kind, exif=exif_of(0xFFFF, "R03"))
    plain = read(hostile.encoded(PICTURE, kind)).rgb
    converted = read(hostile.as_png(plain, icc_profile=imagecodecs.cms_profile("adobergb"))).rgb
    assert off(data, converted) == 0
    assert any("Adobe RGB" in note for note in read(data).notes)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_colours_that_are_not_srgb_and_not_named_are_said(kind):
    data = hostile.encoded(PICTURE, kind, exif=exif_of(0xFFFF, None))
    assert any("not sRGB" in note for note in read(data).notes)
    assert read(hostile.encoded(PICTURE, kind, exif=exif_of(1, "R98"))).notes == ()


def test_primaries_of_a_tiff_that_are_not_those_of_srgb_are_said():
    def declared(primaries: tuple[float, ...]) -> tuple[str, ...]:
        pairs = [part for value in primaries for part in (round(value * 10_000), 10_000)]
        data = written_tiff(PICTURE, 8, 2, tags={319: (5, pairs)})
        assert off(data) == 0
        return tuple(read(data).notes)

    assert declared(SRGB_PRIMARIES) == ()
    assert "not applied" in declared(ADOBE_PRIMARIES)[0]


def test_a_profile_inside_a_bmp_is_used():
    icc = profile(1.8)
    bmp = hostile.encoded(stored_with(1.8, 255).astype(np.uint8), "BMP")
    pixels = bmp[struct.unpack_from("<I", bmp, 10)[0] :]
    header = bytearray(124)
    header[:40] = bmp[14:54]
    struct.pack_into("<I", header, 0, 124)
    header[56:60] = b"DEBM"
    struct.pack_into("<II", header, 112, 124 + len(pixels), len(icc))
    start = struct.pack("<2sIHHI", b"BM", 138 + len(pixels) + len(icc), 0, 0, 138)
    assert off(start + bytes(header) + pixels + icc) <= 2
