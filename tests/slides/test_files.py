"""Slides of every kind through one interface, each in a process of its own; bad ones refused."""

from __future__ import annotations

import itertools
import os
import signal
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
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
    (tmp_path / "ct.dcm").write_bytes(ct_image())
    Image.fromarray(picture[:1, :1]).save(tmp_path / "pixel.png")
    for name, said in {
        "alone.mrxs": "lacks its folder “alone”",
        "text.svs": "incomplete or damaged slide",
        "image.dcm": "no whole slide that can be read",
        "ct.dcm": "no whole slide that can be read",
        "pixel.png": "only 1 x 1 pixels",
        "gone.svs": "is not there",
    }.items():
        with pytest.raises(SlideError, match=said):
            Slide(tmp_path / name)


def ct_image() -> bytes:
    """A DICOM file of another modality: its header, and a picture of 64 pixels."""

    def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
        value += (b" " if kind in (b"CS", b"LO") else b"\0") * (len(value) % 2)
        if kind in (b"OW", b"OB"):
            return struct.pack("<HH2sHL", group, number, kind, 0, len(value)) + value
        return struct.pack("<HH2sH", group, number, kind, len(value)) + value

    kind = b"1.2.840.10008.5.1.4.1.1.2"
    meta = element(2, 2, b"UI", kind) + element(2, 3, b"UI", b"1.2.3")
    meta += element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1")
    body = element(8, 0x16, b"UI", kind) + element(8, 0x18, b"UI", b"1.2.3")
    body += element(8, 0x60, b"CS", b"CT")
    for number, value in ((2, 1), (0x10, 8), (0x11, 8), (0x100, 8), (0x101, 8), (0x102, 7)):
        body += element(0x28, number, b"US", struct.pack("<H", value))
    body += element(0x7FE0, 0x10, b"OW", bytes(64))
    length = element(2, 0, b"UL", struct.pack("<L", len(meta)))
    return bytes(128) + b"DICM" + length + meta + body


def test_levels_of_a_pixel_are_passed_over_and_those_of_billions_refused(tmp_path):
    rng = np.random.default_rng(1)
    rgb = cv2.resize(rng.integers(0, 255, (32, 32, 3), np.uint8), (1024, 1024))
    with Slide(slide_samples.write_tiff(tmp_path / "deep.tif", rgb, count=11)) as slide:
        assert slide.facts.levels == 11
        small = slide.read(0, 0, 1024, 1024, (16, 16))
        wanted = cv2.resize(rgb, (16, 16), interpolation=cv2.INTER_AREA)
        assert abs(small.astype(int) - wanted).mean() < 8
    side = 60_000
    with tifffile.TiffWriter(tmp_path / "vast.tif") as writer:
        tiles = itertools.repeat(zlib.compress(bytes(4096 * 4096 * 3)), (-(-side // 4096)) ** 2)
        like: dict[str, Any] = {"shape": (side, side, 3), "dtype": "uint8", "photometric": "rgb"}
        writer.write(tiles, tile=(4096, 4096), compression="zlib", **like)
    with pytest.raises(SlideError, match=r"^“vast\.tif” .+ no reduced levels"):
        Slide(tmp_path / "vast.tif")
    beyond = slide_samples.write_ome(tmp_path / "beyond.ome.tif", rgb)
    with tifffile.TiffFile(beyond, mode="r+") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages.first.tags[tag].overwrite(side)
    with pytest.raises(SlideError, match=r"^“beyond\.ome\.tif” is an incomplete or damaged"):
        Slide(beyond)


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
