"""The slides of a server: none outside of its folder, kept once, opened from what was read."""

import io
from pathlib import Path

import pytest

from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.store import ReviewStore
from her2core.serving.slide_pictures import take_region
from her2core.serving.slide_runs import SlideJob, key_of
from her2core.serving.slide_shelf import SlideShelf
from her2core.settings import Settings, UploadLimits, load_settings
from her2core.slides.readings import RegionReading, SlideReading, to_json
from her2core.slides.regions import Region
from her2core.slides.slide import SlideFacts
from her2core.stain import StainReading
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
    assert shelf.pictures.overview(path).startswith(b"\xff\xd8")
    store = ReviewStore(f"sqlite:///{tmp_path / 'reviews.sqlite3'}")
    images = ImageStore(settings.image_dir)
    region = reading.regions[0].region
    takes = (shelf.pictures, path, reading, region, images, store, UploadLimits())
    taken = take_region(*takes)
    assert taken.outcome == "new"
    assert take_region(*takes).outcome == "known"
    patch = store.patch(taken.sha256)
    assert patch.name == "a x100 y200.png"
    assert (patch.origin.slide, patch.origin.x, patch.origin.y) == ("a.tif", 100, 200)
    assert (patch.origin.size, patch.origin.um_per_pixel) == (600, 0.25)
    assert (patch.width, patch.height) == (600, 600)
    store.close()
