"""TIFF as programs write it: the same pixels and scale however it is laid out, or a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from her2core.slides.plan import plan_slide
from her2core.slides.slide import Slide, SlideError
from tests import slide_samples
from tests.slide_samples import levels_of

TILES: dict[str, Any] = {"tile": (256, 256), "compression": "zlib"}
PER_CM: dict[str, Any] = {"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}
LABEL = np.full((90, 120, 3), (240, 220, 90), np.uint8)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Blocks of random colours, 700 x 500, never white nor black."""
    blocks = np.random.default_rng(3).integers(20, 236, (50, 70, 3), dtype=np.uint8)
    return blocks.repeat(10, axis=0).repeat(10, axis=1)


def written(path: Path, *pages: tuple[np.ndarray, dict[str, Any]]) -> Path:
    """A TIFF of these pages, each with what is different from an RGB page without metadata."""
    with tifffile.TiffWriter(path) as file:
        for rgb, options in pages:
            file.write(rgb, **{"photometric": "rgb", "metadata": None, **options})
    return path


def shown(path: Path) -> tuple[np.ndarray, Slide]:
    with Slide(path) as slide:
        width, height = slide.facts.width, slide.facts.height
        part = slide.read(130, 40, 300, 200, (300, 200))
        whole = slide.read(0, 0, width, height, (width, height))
    assert np.array_equal(part, whole[40:240, 130:430])
    return whole, slide


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (256, 256)},
        {"tile": (64, 48), "compression": "lzw", "predictor": True},
        {"rowsperstrip": 7, "compression": "zstd"},
        {"rowsperstrip": 500},
        {"rowsperstrip": 500, "compression": "lzw"},
        {"tile": (256, 256), "compression": "jpeg2000", "compressionargs": {"level": 0}},
    ],
    ids=str,
)
def test_pixels_are_the_same_in_any_layout(tmp_path, picture, options):
    whole, slide = shown(written(tmp_path / "a.tif", (picture, options | PER_CM)))
    assert np.array_equal(whole, picture)
    assert slide.facts.um_per_pixel == pytest.approx(0.25)
    assert slide.notes == ()


def test_a_level_of_one_large_packed_strip_is_unpacked_once(tmp_path):
    rgb = np.random.default_rng(1).integers(0, 255, (60, 60, 3), np.uint8)
    rgb = rgb.repeat(50, axis=0).repeat(50, axis=1)
    path = written(tmp_path / "a.tif", (rgb, {"rowsperstrip": 3000, "compression": "lzw"}))
    with Slide(path) as slide:
        assert np.array_equal(slide.read(70, 20, 900, 900, (900, 900)), rgb[20:920, 70:970])
        assert np.array_equal(slide.read(0, 2500, 500, 500, (500, 500)), rgb[2500:, :500])


def test_planes_of_their_own_and_16_bits_are_read(tmp_path, picture):
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
    path = written(tmp_path / "planes.tif", (planes, {"planarconfig": "separate", **TILES}))
    assert np.array_equal(shown(path)[0], picture)
    deep = [(one.astype(np.uint16) * 257, TILES) for one in levels_of(picture)]
    whole, slide = shown(written(tmp_path / "deep.tif", *deep))
    assert np.array_equal(whole, picture)
    assert slide.facts.levels == 3
    camera = [(one.astype(np.uint16) << 4, TILES) for one in levels_of(picture)]
    whole, slide = shown(written(tmp_path / "camera.tif", *camera))
    assert np.abs(whole.astype(int) - picture).max() <= 1
    assert "12 bits" in slide.notes[0]


def test_print_colours_are_converted_and_that_is_said(tmp_path, picture):
    Image.fromarray(picture).convert("CMYK").save(tmp_path / "a.tif", compression="tiff_lzw")
    whole, slide = shown(tmp_path / "a.tif")
    assert np.abs(whole.astype(int) - picture).max() <= 1
    assert "CMYK" in slide.notes[0]


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("options", [TILES, {"rowsperstrip": 16}], ids=["tiles", "strips"])
def test_what_is_transparent_is_glass(tmp_path, picture, kind, options):
    rgba = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    rgba[:100] = 0
    path = written(tmp_path / "a.tif", (rgba, {"extrasamples": [kind], **options}))
    whole, _ = shown(path)
    assert (whole[:100] == 255).all()
    assert np.array_equal(whole[100:], picture[100:])


APERIO: dict[str, Any] = {
    "tile": (256, 256),
    "compression": 33005,  # JPEG 2000 as Aperio names it
    "compressionargs": {"level": 0},
    "description": "Aperio Image Library v12.0.16 \r\n700x500 (256x256)|AppMag = 40|MPP = 0.25",
}


@pytest.mark.parametrize(
    "options", [TILES, {"rowsperstrip": 16}, APERIO], ids=["tiles", "strips", "scanner"]
)
def test_declared_colours_are_honoured_and_the_scale_is_kept(tmp_path, picture, options):
    srgb, wide = (bytes(imagecodecs.cms_profile(name)) for name in ("srgb", "adobergb"))
    spaces: dict[str, Any] = {"colorspace": "rgb", "outcolorspace": "rgb", "outdtype": "u1"}
    stored = imagecodecs.cms_transform(picture, srgb, wide, **spaces)
    tag = (34675, 7, len(wide), wide, True)
    path = written(tmp_path / "a.tif", (stored, {"extratags": [tag], **PER_CM, **options}))
    whole, slide = shown(path)
    inside = ((picture > 40) & (picture < 215)).all(axis=2)  # what both can show
    assert np.abs(stored.astype(int) - picture)[inside].mean() > 7
    assert np.abs(whole.astype(int) - picture)[inside].mean() < 2
    assert "converted" in slide.notes[0]
    assert slide.facts.um_per_pixel == pytest.approx(0.25)


@pytest.mark.parametrize("marked", [True, False])
def test_previews_and_labels_are_no_slide(tmp_path, picture, marked):
    small = levels_of(picture)[2]
    mark = {"subfiletype": 1} if marked else {}
    levels = [
        (one, TILES | (mark if number else {})) for number, one in enumerate(levels_of(picture))
    ]
    assert shown(written(tmp_path / "a.tif", (small, mark), *levels))[1].facts.levels == 3
    whole, slide = shown(written(tmp_path / "b.tif", (LABEL, {}), *levels, (LABEL, {})))
    assert np.array_equal(whole, picture)
    assert slide.facts.levels == 3
    assert slide.notes == ()


def test_of_two_slides_in_a_file_the_first_is_read_and_that_is_said(tmp_path, picture):
    other = [(one, TILES) for one in levels_of(255 - picture)]
    path = written(tmp_path / "a.tif", *[(one, TILES) for one in levels_of(picture)], *other)
    whole, slide = shown(path)
    assert np.array_equal(whole, picture)
    with Slide(path) as again:
        assert np.abs(again.read(0, 0, 700, 500, (175, 125)).astype(int) - 128).max() < 110
        reduced = again.read(0, 0, 700, 500, (175, 125))
    assert np.array_equal(reduced, levels_of(picture)[2])
    assert slide.notes == ("The file holds 2 pictures of that size; the first one was read.",)


def test_a_tile_that_the_file_leaves_out_is_glass(tmp_path, picture):
    path = written(tmp_path / "a.tif", (picture, TILES))
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages.first
        for tag, values in ((324, page.dataoffsets), (325, page.databytecounts)):
            page.tags[tag].overwrite([0, *values[1:]])
    whole, _ = shown(path)
    assert (whole[:256, :256] == 255).all()
    assert np.array_equal(whole[256:], picture[256:])


@pytest.mark.parametrize(
    ("options", "scale"),
    [
        (PER_CM, 0.25),
        ({"resolution": (101_600, 101_600), "resolutionunit": "INCH"}, 0.25),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (4, 4), "resolutionunit": "NONE"}, None),
        ({}, None),
    ],
    ids=["centimetres", "inches", "print", "no unit", "nothing"],
)
def test_the_scale_is_that_of_the_tags(tmp_path, picture, options, scale):
    slide = shown(written(tmp_path / "a.tif", (picture, options)))[1]
    assert slide.facts.um_per_pixel == (scale and pytest.approx(scale))


@pytest.mark.parametrize("unit", ["um", "micron", r"\u00B5m", "inch", "pixel"])
def test_image_j_names_a_unit_of_its_own(tmp_path, picture, unit):
    path = tmp_path / "a.tif"
    options: dict[str, Any] = {"resolution": (4, 4), "metadata": {"unit": unit}}
    tifffile.imwrite(path, picture, imagej=True, photometric="rgb", **options)
    scale = shown(path)[1].facts.um_per_pixel
    assert scale == (None if unit in ("inch", "pixel") else pytest.approx(0.25))


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize(
    ("value", "unit"), [("0.25", "&#181;m"), ("0.25", "µm"), ("250", "nm"), ("0.00025", "mm")]
)
def test_ome_names_a_unit_in_any_way_xml_has(tmp_path, picture, quote, value, unit):
    text = f'<OME><Image><Pixels PhysicalSizeX="{value}" PhysicalSizeXUnit="{unit}"/></Image></OME>'
    options: dict[str, Any] = {"description": text.replace('"', quote).encode(), **TILES}
    slide = shown(written(tmp_path / "a.ome.tif", (picture, options)))[1]
    assert slide.facts.um_per_pixel == pytest.approx(0.25)
    assert slide.facts.format == "OME-TIFF"


def test_a_png_says_its_scale_where_it_has_one(tmp_path, picture):
    for dots, scale in ((101_600, pytest.approx(0.25, rel=1e-3)), (96, None)):
        Image.fromarray(picture).save(tmp_path / "a.png", dpi=(dots, dots))
        assert shown(tmp_path / "a.png")[1].facts.um_per_pixel == scale


def test_the_objective_stands_for_the_scale_where_nothing_else_does(tmp_path):
    rgb = slide_samples.painted_cores([(1000, 800)], 700, (2000, 1600))
    for said, scale in (("|MPP = 0.2630", 0.263), ("", 0.25)):
        text = f"Aperio Image Library v12.0.16 \r\n2000x1600 (256x256)|AppMag = 40{said}"
        options = {"compression": "jpeg", "tile": (256, 256), "description": text}
        path = written(tmp_path / "a.svs", (rgb, options))
        with Slide(path) as slide:
            assert slide.facts.um_per_pixel == pytest.approx(scale)
            notes = plan_slide(slide).notes
        assert [note for note in notes if "objective was 40x" in note] == list(slide.notes)
        assert bool(slide.notes) == (not said)


@pytest.mark.parametrize("share", [0.4, 0.9])
@pytest.mark.parametrize("options", [TILES, {"rowsperstrip": 16}], ids=["tiles", "strips"])
def test_a_file_that_ends_too_soon_is_refused_when_it_is_opened(tmp_path, picture, options, share):
    path = written(tmp_path / "cut.tif", (picture, options))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(SlideError, match=r"“cut\.tif” is an incomplete or damaged TIFF"):
        Slide(path)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty.tif", b"", "is empty"),
        ("text.tif", b"hello", "no slide and no picture that is read"),
        ("other.qptiff", b"\0" * 500, "no slide and no picture that is read"),
        ("microscope.vsi", b"II*\0" + bytes(200), "incomplete or damaged TIFF"),
    ],
)
def test_files_of_other_kinds_get_a_sentence(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SlideError, match=f"“{name}” .*{said}"):
        Slide(tmp_path / name)


def test_channels_of_their_own_and_floating_point_are_refused(tmp_path, picture):
    channels = np.ascontiguousarray(picture.transpose(2, 0, 1))
    tifffile.imwrite(tmp_path / "c.ome.tif", channels, ome=True, metadata={"axes": "CYX"})
    with pytest.raises(SlideError, match="3 channels as separate pictures"):
        Slide(tmp_path / "c.ome.tif")
    with pytest.raises(SlideError, match="without defined brightness"):
        Slide(written(tmp_path / "f.tif", ((picture / 255).astype(np.float32), TILES)))
