"""Bytes become a right picture or one sentence; a picture becomes the models' input one way."""

from __future__ import annotations

import dataclasses
import hashlib
import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from her2core.preprocessing.patches import MAX_NAME, Patch, PatchError, Square, decode, safe_name
from her2core.settings import UploadLimits
from tests import hostile

SMALL_FILES = [case.data for case in hostile.cases() if 60 < len(case.data) < 60_000]


def patch_of(rgb: np.ndarray) -> Patch:
    height, width = rgb.shape[:2]
    return Patch("a.png", "0" * 64, rgb, Square.centred(width, height))


def test_an_ordinary_file_needs_no_note(brown_patch_png, limits):
    patch = decode(brown_patch_png, "core 7.png", limits)
    assert patch.notes == ()
    assert (patch.name, patch.width, patch.height) == ("core 7.png", 96, 80)
    assert patch.sha256 == hashlib.sha256(brown_patch_png).hexdigest()


def test_limits_are_the_installations_own(brown_patch_png):
    with pytest.raises(PatchError, match="larger than"):
        decode(brown_patch_png, "a.png", UploadLimits(max_bytes=100))
    with pytest.raises(PatchError, match="million pixels"):
        decode(brown_patch_png, "a.png", UploadLimits(max_pixels=96 * 80 - 1))
    assert decode(brown_patch_png, "a.png", UploadLimits(max_pixels=96 * 80)).width == 96
    with pytest.raises(PatchError, match="at least 81"):
        decode(brown_patch_png, "a.png", UploadLimits(min_side=81))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(orientation, kind, limits):
    image = Image.fromarray(hostile.brown_patch())
    data = hostile.encoded(image, kind, exif=hostile.upside_down(orientation))
    image.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(decode(data, "a", limits).rgb, upright)


def test_an_srgb_profile_changes_no_pixel_and_needs_no_note(limits):
    picture = hostile.brown_patch()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    patch = decode(hostile.as_png(picture, icc_profile=srgb), "a.png", limits)
    assert np.array_equal(patch.rgb, picture)
    assert patch.notes == ()


def test_colours_of_another_profile_become_srgb(limits):
    picture = hostile.brown_patch()
    swapped = _profile_with_red_and_blue_exchanged()
    patch = decode(hostile.as_png(picture, icc_profile=swapped), "a.png", limits)
    assert np.abs(patch.rgb[..., ::-1].astype(int) - picture).max() <= 3
    assert any("sRGB" in note for note in patch.notes)


def _profile_with_red_and_blue_exchanged() -> bytes:
    """sRGB with the tags of its red and blue primaries renamed into each other."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for old, new in ((b"rXYZ", b"?XYZ"), (b"bXYZ", b"rXYZ"), (b"?XYZ", b"bXYZ")):
        profile = profile.replace(old, new, 1)
    return profile.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


def test_white_is_zero_grey_is_not_shown_as_a_negative(limits):
    grey = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    tagged = hostile.encoded(Image.fromarray(grey), "TIFF", tiffinfo={262: 0})
    shown = decode(tagged, "a.tif", limits).rgb[..., 0]
    assert shown[0, 0] == 255
    assert shown[-1, -1] == 0


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damaged_byte_gets_past_as_another_error(data):
    original = data.draw(st.sampled_from(SMALL_FILES))
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    outcome = _patch_or_sentence(bytes(damaged))
    if isinstance(outcome, Patch):
        assert outcome.rgb.shape == (outcome.height, outcome.width, 3)
    else:
        assert outcome.startswith("“a.png” ")


def _patch_or_sentence(data: bytes) -> Patch | str:
    try:
        return decode(data, "a.png", UploadLimits(max_pixels=1_000_000))
    except PatchError as error:
        return str(error)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_calmly(data):
    with pytest.raises(PatchError):
        decode(data, "a.png", UploadLimits())


def test_the_same_bytes_give_the_same_input_again(brown_patch_png, limits):
    first, second = (decode(brown_patch_png, "a.png", limits) for _ in range(2))
    assert first == second
    assert first.key == second.key
    assert np.array_equal(first.pixels(), second.pixels())


@pytest.mark.parametrize("size", [40, 223, 224, 225, 500])
def test_model_input_has_the_models_shape_and_range(size):
    rng = np.random.default_rng(size)
    pixels = patch_of(rng.integers(0, 256, (size, size + 7, 3), np.uint8)).pixels()
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.float32
    assert pixels.min() >= 0
    assert pixels.max() <= 1


def test_at_224_pixels_the_input_is_the_image_itself():
    picture = cv2.resize(hostile.brown_patch(), (224, 224))
    assert np.array_equal(patch_of(picture).pixels(), picture.astype(np.float32) / np.float32(255))


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = np.zeros((448, 448, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.allclose(patch_of(stripes).pixels(), 0.5, atol=0.005)


def test_the_centred_square_is_used_and_can_be_moved():
    picture = hostile.brown_patch(96, 80)
    patch = patch_of(picture)
    assert patch.square == Square(8, 0, 80)
    moved = patch.with_square(Square(16, 40, 40))
    assert np.array_equal(moved.field(), picture[40:80, 16:56])
    assert moved.key != patch.key
    assert patch.square == Square(8, 0, 80)


@pytest.mark.parametrize(
    "square", [Square(-1, 0, 40), Square(0, -1, 40), Square(57, 0, 40), Square(0, 41, 40)]
)
def test_a_square_that_leaves_the_image_is_refused(square):
    with pytest.raises(ValueError, match="inside the 96 x 80 image"):
        patch_of(hostile.brown_patch()).with_square(square)


def test_a_square_must_not_be_tiny():
    with pytest.raises(ValueError, match="at least 32 pixels"):
        patch_of(hostile.brown_patch()).with_square(Square(0, 0, 31))


def test_a_patch_cannot_be_changed():
    patch = patch_of(hostile.brown_patch())
    with pytest.raises(ValueError, match="read-only"):
        patch.rgb[0, 0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        patch.name = "other"  # type: ignore[misc]
    patch.field()[:] = 0
    assert patch.rgb.any()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("core 7.png", "core 7.png"),
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\patients\\Jane Doe\\core.png", "core.png"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
        ("=cmd|'/c calc'!A1.png", "c calc'!A1.png"),
        ("core\u202egnp.exe", "coregnp.exe"),
        ("line\r\nbreak.png", "line break.png"),
        ("", "unnamed"),
        ("..", "unnamed"),
        (".png", "unnamed.png"),
        ("x" * 400 + ".tiff", "x" * (MAX_NAME - 5) + ".tiff"),
    ],
)
def test_names_stay_readable_and_lose_what_is_dangerous(name, shown):
    assert safe_name(name) == shown


@given(st.text(max_size=300) | st.sampled_from(hostile.HOSTILE_NAMES))
def test_any_name_becomes_one_short_printable_line(name):
    shown = safe_name(name)
    assert 0 < len(shown) <= MAX_NAME
    assert shown.isprintable()
    assert "/" not in shown
    assert "\\" not in shown
    shown.encode("utf-8")
    assert safe_name(shown) == shown


@pytest.mark.real_images
def test_a_real_patch_keeps_its_pixels(real_patches, limits):
    path = real_patches[0]
    patch = decode(path.read_bytes(), path.name, limits)
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert np.array_equal(patch.rgb, np.asarray(image.convert("RGB")))
    assert patch.notes == ()
    assert patch.square == Square(0, 0, 448)
