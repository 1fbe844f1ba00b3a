"""Slides of every kind through one interface, each in a process of its own; bad ones refused."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from her2core.slides.slide import Slide, SlideError, SlideLimits
from tests import slide_samples
from tests.conftest import ROOT, real_cores

SVS = ROOT.parent / "shared" / "slides" / "CMU-1-Small-Region.svs"


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Blocks of random colours, 700 x 500."""
    blocks = np.random.default_rng(3).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    return blocks.repeat(10, axis=0).repeat(10, axis=1)


def svs() -> Path:
    path = Path(os.environ["HER2_SLIDE"]) if "HER2_SLIDE" in os.environ else SVS
    if not path.exists():
        pytest.skip(f"no slide at {path}; set HER2_SLIDE")
    return path


@pytest.mark.parametrize("kind", ["tiff", "ome", "png"])
def test_every_format_gives_the_same_pixels_and_its_scale(tmp_path, picture, kind):
    path = tmp_path / f"slide.{'ome.tif' if kind == 'ome' else kind}"
    if kind == "png":
        Image.fromarray(picture).save(path)
    elif kind == "ome":
        slide_samples.write_ome(path, picture)
    else:
        slide_samples.write_tiff(path, picture)
    with Slide(path) as slide:
        assert (slide.facts.width, slide.facts.height) == (700, 500)
        assert slide.facts.levels == (1 if kind == "png" else 3)
        scale = None if kind == "png" else pytest.approx(0.25, rel=1e-3)
        assert slide.facts.um_per_pixel == scale
        part = slide.read(130, 40, 300, 200, (300, 200))
        assert np.array_equal(part, picture[40:240, 130:430])
        # what leaves the slide is white, as glass
        edge = slide.read(600, 400, 200, 200, (200, 200))
        assert np.array_equal(edge[:100, :100], picture[400:, 600:])
        assert (edge[100:] == 255).all()
        assert (edge[:, 100:] == 255).all()
        whole = slide.read(0, 0, 700, 500, (70, 50))
        assert np.abs(whole.astype(int) - picture[5::10, 5::10]).mean() < 25


def test_an_aperio_slide_tells_its_scale():
    with Slide(svs()) as slide:
        assert (slide.facts.width, slide.facts.height) == (2220, 2967)
        assert slide.facts.um_per_pixel == pytest.approx(0.499)
        assert slide.read(500, 500, 400, 400, (100, 100)).std() > 5


def test_a_slide_that_ends_too_soon_is_refused_with_its_name(tmp_path):
    data = svs().read_bytes()
    for share in (0.001, 0.5, 0.95):
        path = tmp_path / "cut.svs"
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(SlideError, match=r"^“cut.svs” .+"), Slide(path) as slide:
            slide.read(0, 0, slide.facts.width, slide.facts.height, (100, 100))


def test_files_that_are_no_slides_get_a_sentence(tmp_path, picture):
    (tmp_path / "alone.mrxs").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "text.svs").write_text("hello")
    (tmp_path / "image.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 64)
    Image.fromarray(picture[:1, :1]).save(tmp_path / "pixel.png")
    for name, said in {
        "alone.mrxs": "lacks its folder “alone”",
        "text.svs": "incomplete or damaged slide",
        "image.dcm": "incomplete or damaged slide",
        "pixel.png": "only 1 x 1 pixels",
        "gone.svs": "is not there",
    }.items():
        with pytest.raises(SlideError, match=said):
            Slide(tmp_path / name)


def test_a_process_that_dies_costs_a_sentence(tmp_path, picture):
    path = slide_samples.write_tiff(tmp_path / "a.tif", picture)
    with Slide(path) as slide:
        os.kill(slide._process.pid, signal.SIGKILL)
        with pytest.raises(SlideError, match=r"“a\.tif” could not be read"):
            slide.read(0, 0, 10, 10, (10, 10))
        assert not slide.is_open


def test_a_slide_that_needs_more_memory_than_it_may_is_refused(tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (15_000, 15_000)).save(path, compress_level=1)
    with pytest.raises(SlideError, match=r"“large\.png”"):
        Slide(path, SlideLimits(max_mib=512))


def test_a_real_core_reads_alike_as_jpeg_and_as_pyramid(tmp_path):
    if not (real_cores() / "cores").is_dir():
        pytest.skip("no real cores")
    part = slide_samples.core_part(real_cores(), "a1f1510c", 2000, 2000, 1200)
    Image.fromarray(part).save(tmp_path / "a.png")
    slide_samples.write_tiff(tmp_path / "a.tif", part)
    with Slide(tmp_path / "a.png") as plain, Slide(tmp_path / "a.tif") as pyramid:
        one, other = (each.read(100, 100, 800, 800, (448, 448)) for each in (plain, pyramid))
    assert np.array_equal(one, other)
