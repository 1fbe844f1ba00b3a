"""What was uploaded comes back pixel for pixel, or one sentence says that it cannot."""

from __future__ import annotations

import os
import stat
import time
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image

from her2core.preprocessing.image_store import ImageStore, MemoryImages, open_images
from her2core.preprocessing.patches import Patch, PatchError, Square, decode
from her2core.settings import load_settings
from tests import hostile


@pytest.fixture
def patch(brown_patch_png, limits) -> Patch:
    return decode(brown_patch_png, "core 7.png", limits)


@pytest.fixture
def store(tmp_path) -> ImageStore:
    return ImageStore(tmp_path / "home" / "patches")


def stored_file(tmp_path, patch):
    return tmp_path / "home" / "patches" / f"{patch.sha256}.png"


def test_a_patch_comes_back_with_its_exact_pixels_in_a_later_run(store, patch, tmp_path):
    assert not store.has(patch.sha256)
    store.put(patch)
    assert store.has(patch.sha256)
    again = ImageStore(tmp_path / "home" / "patches").load(patch.sha256, patch.name)
    assert again == patch
    assert np.array_equal(again.rgb, patch.rgb)
    assert np.array_equal(again.pixels(), patch.pixels())


def test_a_lossy_and_turned_upload_is_kept_as_it_was_decoded(store, limits):
    picture = Image.fromarray(hostile.brown_patch())
    data = hostile.encoded(picture, "JPEG", exif=hostile.upside_down(6))
    patch = decode(data, "a.jpg", limits)
    store.put(patch)
    assert np.array_equal(store.load(patch.sha256, "a.jpg").rgb, patch.rgb)


def test_no_metadata_of_the_upload_is_kept(store, tmp_path, limits):
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe, born 1950"
    data = hostile.as_png(hostile.brown_patch(), exif=exif, icc_profile=b"Jane Doe" * 20)
    patch = decode(data, "Jane Doe.png", limits)
    store.put(patch)
    kept = stored_file(tmp_path, patch)
    assert b"Jane Doe" not in kept.read_bytes()
    with Image.open(kept) as image:
        image.load()
        assert image.info == {}


def test_only_the_owner_may_read(store, patch, tmp_path):
    store.put(patch)
    kept = stored_file(tmp_path, patch)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_putting_twice_writes_once_and_counts_from_the_second_time(store, patch, tmp_path):
    store.put(patch)
    file = stored_file(tmp_path, patch)
    os.utime(file, (1e9, 1e9))
    before, began = file.stat(), time.time()
    store.put(patch.with_square(Square(0, 0, 40)))
    assert file.stat().st_ino == before.st_ino
    assert file.stat().st_mtime > began - 1


def test_an_image_that_came_again_meanwhile_is_not_removed(store, patch):
    store.put(patch)
    ((_, stored_at, _),) = store.kept()
    assert not store.remove(patch.sha256, stored_before=stored_at)
    assert store.has(patch.sha256)
    assert store.remove(patch.sha256, stored_before=stored_at + timedelta(seconds=1))
    assert not store.remove(patch.sha256, stored_before=stored_at)
    assert not store.remove(patch.sha256)


def test_a_missing_file_is_one_sentence(store, patch):
    with pytest.raises(PatchError, match=r"“core 7\.png” is missing; upload"):
        store.load(patch.sha256, patch.name)


@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda data: b"", lambda data: b"x"])
def test_a_damaged_file_is_told_and_healed_by_the_same_upload(store, patch, tmp_path, damage):
    store.put(patch)
    kept = stored_file(tmp_path, patch)
    kept.write_bytes(damage(kept.read_bytes()))
    assert not store.has(patch.sha256)
    with pytest.raises(PatchError, match="damaged"):
        store.load(patch.sha256, patch.name)
    store.put(patch)
    assert store.load(patch.sha256, patch.name) == patch


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "a" * 63, "a" * 64 + "\n", "."])
def test_nothing_but_a_sha256_leads_to_a_file(store, patch, name):
    assert not store.has(name)
    with pytest.raises(PatchError):
        store.load(name, "a.png")
    with pytest.raises(ValueError, match="sha256"):
        store.put(Patch("a.png", name, patch.rgb, patch.square))


def test_a_failed_write_is_one_sentence_and_leaves_nothing(store, patch, tmp_path):
    root = tmp_path / "home" / "patches"
    stored_file(tmp_path, patch).mkdir()  # the final name is taken by a folder
    with pytest.raises(PatchError, match="could not be kept"):
        store.put(patch)
    assert [file.name for file in root.iterdir()] == [f"{patch.sha256}.png"]


def test_where_nothing_may_be_stored_pictures_are_in_memory_only(patch, tmp_path):
    settings = load_settings({"HER2_HOME": str(tmp_path), "HER2_STORE_IMAGES": "0"})
    images = open_images(settings)
    images.put(patch)
    assert images.has(patch.sha256)
    again = images.load(patch.sha256, patch.name)
    assert again == patch
    assert np.array_equal(again.rgb, patch.rgb)
    assert list(tmp_path.iterdir()) == []
    later = open_images(settings)
    assert not later.has(patch.sha256)
    with pytest.raises(PatchError, match=r"“core 7\.png” is gone, because none are stored here"):
        later.load(patch.sha256, patch.name)


def test_memory_is_bounded_and_what_was_seen_last_stays(limits):
    rng = np.random.default_rng(0)
    patches = [
        decode(hostile.as_png(rng.integers(0, 256, (64, 64, 3), np.uint8)), "a.png", limits)
        for _ in range(4)
    ]
    images = MemoryImages(max_bytes=3 * 12_800)
    for patch in patches[:3]:
        images.put(patch)
    images.load(patches[0].sha256, "a.png")
    images.put(patches[3])
    assert [images.has(patch.sha256) for patch in patches] == [True, False, True, True]
    with pytest.raises(PatchError, match="too large to be held"):
        MemoryImages(max_bytes=1000).put(patches[0])


def test_settings_choose_the_folder_by_default(tmp_path):
    images = open_images(load_settings({"HER2_HOME": str(tmp_path)}))
    assert isinstance(images, ImageStore)
    assert [path.name for path in tmp_path.iterdir()] == ["patches"]
