"""The slides of a server: none outside of its folder, kept once, opened from what was read."""

import io
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.records import Origin
from her2core.reviews.store import ReviewStore
from her2core.serving.intake import take_in
from her2core.serving.slide_pictures import SlidePictures
from her2core.serving.slide_runs import SlideJob, key_of
from her2core.serving.slide_shelf import SlideShelf
from her2core.settings import Settings, UploadLimits, load_settings
from her2core.slides.readings import RegionReading, SlideReading, to_json
from her2core.slides.regions import Region
from her2core.slides.slide import SlideError, SlideFacts
from her2core.stain.reading import StainReading
from tests import slide_samples


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HER2_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HER2_SLIDES", str(tmp_path / "slides"))
    (tmp_path / "slides" / "sub").mkdir(parents=True)
    return load_settings()


def a_reading(name: str) -> SlideReading:
    """What a reading of a slide of 1000 pixels may be."""
    stain = StainReading("stain-6", (40, 0, 0, 0), None, None, um_per_pixel=0.25)
    region = RegionReading(Region(100, 200, 600, "", 1.0), (), stain)
    facts = SlideFacts("TIFF", 1000, 1000, 3, 0.25)
    return SlideReading(name, facts, 0.25, "file", (230.0, 230.0, 240.0), 1.0, (), (), (region,))


def test_no_link_leads_out_of_the_folder_and_ids_are_no_paths(settings, tmp_path):
    (tmp_path / "slides" / "sub" / "a.svs").write_bytes(b"x")
    (tmp_path / "slides" / ".hidden.svs").write_bytes(b"x")
    (tmp_path / "slides" / "notes.txt").write_bytes(b"x")
    (tmp_path / "secret.svs").write_bytes(b"x")
    (tmp_path / "slides" / "out.svs").symlink_to(tmp_path / "secret.svs")
    shelf = SlideShelf(settings)
    (slide,) = shelf.listing()
    assert slide.name == "a.svs"
    assert shelf.find(slide.key) == slide
    assert shelf.find("../secret.svs") is None


def test_an_uploaded_slide_is_kept_once_under_a_safe_name(settings):
    shelf = SlideShelf(settings)
    first = shelf.keep(io.BytesIO(b"slide"), "../../etc/<b>.svs")
    again = shelf.keep(io.BytesIO(b"slide"), "../../etc/<b>.svs")
    assert first == again
    assert first.path.is_relative_to(settings.home)
    assert first.path.read_bytes() == b"slide"
    assert first in shelf.listing()


def test_a_slide_read_before_opens_at_once_and_its_region_becomes_a_patch(settings, tmp_path):
    rgb = slide_samples.painted_cores([(500, 500)], 400, (1000, 1000))
    path = slide_samples.write_tiff(tmp_path / "slides" / "a.tif", rgb)
    shelf = SlideShelf(settings)
    (slide,) = shelf.listing()
    assert shelf.state(slide).phase == "unread"
    kept = settings.home / "slides" / "readings"
    kept.mkdir(parents=True)
    job = SlideJob(path)
    (kept / f"{key_of(job, shelf.options())}.json").write_bytes(to_json(a_reading("a.tif")))
    state = SlideShelf(settings).state(slide)
    assert state.phase == "read"
    reading = state.reading
    assert reading == a_reading("a.tif")
    store = ReviewStore(f"sqlite:///{tmp_path / 'reviews.sqlite3'}")
    images = ImageStore(settings.image_dir)
    region = reading.regions[0].region
    data, name, origin = shelf.pictures.region_file(path, reading, region)
    taken = take_in(data, name, images, store, UploadLimits(), origin)
    assert taken.outcome == "new"
    assert take_in(data, name, images, store, UploadLimits(), origin).outcome == "known"
    patch = store.patch(taken.sha256)
    assert patch.name == "a x100 y200.png"
    assert (patch.origin.slide, patch.origin.x, patch.origin.y) == ("a.tif", 100, 200)
    assert (patch.origin.size, patch.origin.um_per_pixel) == (600, 0.25)
    assert (patch.width, patch.height) == (600, 600)
    data, name, origin = shelf.pictures.whole_file(path, reading, "")
    taken = take_in(data, name, images, store, UploadLimits(), origin)
    assert taken.outcome == "new"
    assert taken.sha256 == shelf.pictures.whole(path, reading, "").patch.sha256
    patch = store.patch(taken.sha256)
    assert patch.origin == Origin("a.tif", 0, 0, 1000, 0.25, whole=True)
    assert (patch.width, patch.warnings) == (1000, ())
    store.close()


def test_tiles_show_the_slide_at_every_level_and_end_with_it(tmp_path):
    rgb = slide_samples.painted_cores([(700, 300)], 250, (1400, 600))
    path = slide_samples.write_tiff(tmp_path / "a.tif", rgb)
    pictures = SlidePictures()
    assert pictures.facts(path).width == 1400
    for level, size in ((0, (256, 256)), (3, (175, 75))):
        assert opened(pictures.tile(path, level, 0, 0)).shape == (*size[::-1], 3)
    edge = opened(pictures.tile(path, 0, 5, 2))
    assert edge.shape == (600 - 2 * 256, 1400 - 5 * 256, 3)
    middle = opened(pictures.tile(path, 0, 2, 1)).astype(int)
    assert abs(middle - rgb[256:512, 512:768]).mean() < 8
    small = opened(pictures.tile(path, 3, 0, 0)).astype(int)
    whole = cv2.resize(rgb, (175, 75), interpolation=cv2.INTER_AREA)
    assert abs(small - whole).mean() < 4
    for level, column, row in ((0, 6, 0), (0, 0, 3), (4, 0, 0), (70, 0, 0)):
        with pytest.raises(SlideError):
            pictures.tile(path, level, column, row)


def test_coarse_tiles_of_a_large_slide_are_cut_from_one_picture_of_it(tmp_path):
    rgb = slide_samples.painted_cores([(2500, 900)], 800, (5000, 1800))
    path = slide_samples.write_tiff(tmp_path / "a.tif", rgb, count=1)
    pictures = SlidePictures()
    small = np.hstack([opened(pictures.tile(path, 3, column, 0)) for column in range(3)])
    whole = cv2.resize(rgb, (625, 225), interpolation=cv2.INTER_AREA)
    assert small.shape == whole.shape
    assert abs(small.astype(int) - whole).mean() < 4


def test_slides_looked_at_long_ago_are_closed(tmp_path):
    rgb = slide_samples.painted_cores([(150, 150)], 120, (300, 300))
    pictures = SlidePictures()
    for name in "abcde":
        pictures.tile(slide_samples.write_tiff(tmp_path / f"{name}.tif", rgb), 0, 0, 0)
    assert len(pictures._open) == 3
    assert opened(pictures.tile(tmp_path / "a.tif", 0, 1, 1)).shape == (44, 44, 3)


def opened(data: bytes) -> npt.NDArray[np.uint8]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
