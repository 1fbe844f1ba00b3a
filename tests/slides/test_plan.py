"""Tissue, cores and regions found at low power, and the scale."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from her2core.slides.geojson import Area, rectangle
from her2core.slides.plan import plan_slide
from her2core.slides.regions import find_cores, grid
from her2core.slides.scale import known_scale, scale_by_nuclei
from her2core.slides.slide import Slide, SlideError
from her2core.slides.tissue import find_tissue
from tests import slide_samples
from tests.conftest import real_cores

UM = 4.0


def test_cores_are_named_by_row_and_column_and_a_lost_one_leaves_its_place():
    places = [(x, y) for y in (300, 800) for x in (300, 800, 1300)]
    places.remove((800, 300))
    rgb = slide_samples.painted_cores([(x + 7, y - 9) for x, y in places], 140, (1600, 1100))
    tissue = find_tissue(rgb, UM)
    cores = find_cores(tissue.mask, UM)
    assert [core.name for core in cores] == ["A1", "A3", "B1", "B2", "B3"]
    regions = grid(tissue.mask, 16.0, 800, cores, (1600 * 16, 1100 * 16))
    assert {region.core for region in regions} == {"A1", "A3", "B1", "B2", "B3"}
    assert all(region.tissue >= 0.3 for region in regions)
    # a core of 1.1 mm has about 24 squares of 200 µm
    assert 20 <= sum(region.core == "B2" for region in regions) <= 34


def test_one_piece_of_tissue_is_no_microarray():
    rgb = slide_samples.painted_cores([(400, 400)], 300, (1000, 800))
    assert find_cores(find_tissue(rgb, UM).mask, UM) == ()


def test_glass_pen_and_the_black_edge_of_a_scan_are_no_tissue():
    rgb = slide_samples.painted_cores([(500, 500)], 300, (1600, 1000))
    cv2.line(rgb, (1050, 150), (1500, 850), (30, 140, 60), 40)
    rgb[:, :40] = 0
    tissue = find_tissue(rgb, UM)
    assert tissue.glass == pytest.approx(slide_samples.GLASS, abs=2)
    assert tissue.mask[500, 500]
    assert not tissue.mask[480:520, 1255:1295].any()
    assert tissue.pen[500, 1275]
    assert tissue.area_mm2 == pytest.approx(np.pi * 1.2**2, rel=0.15)


def test_the_scale_is_as_given_then_as_the_file_says_then_told_by_nuclei():
    assert known_scale(0.5, 0.25).um_per_pixel == 0.5
    assert known_scale(None, 0.25).source == "file"
    for said in (None, 0.0, -1.0, 1e6, float("inf")):
        assert known_scale(None, said) is None
    with pytest.raises(ValueError, match="no scale of a slide"):
        known_scale(1e6, None)
    flat = np.full((1024, 1024, 3), 230, np.uint8)
    with pytest.raises(SlideError, match="--um-per-pixel"):
        scale_by_nuclei(lambda _x, _y: flat, [(0, 0)] * 5, None, "a.png")


def test_nuclei_too_faint_to_be_measured_give_no_scale():
    if not (real_cores() / "cores").is_dir():
        pytest.skip("no real cores")
    (faint,) = (real_cores() / "cores").glob("*_f8a2cea0*.jpg")
    with Slide(faint) as slide:
        with pytest.raises(SlideError, match="too small or too faint to tell; give micrometres"):
            plan_slide(slide)
        assert plan_slide(slide, um_per_pixel=0.25).regions


def test_a_scale_that_no_scanner_has_is_set_aside_with_a_sentence(tmp_path):
    if not (real_cores() / "cores").is_dir():
        pytest.skip("no real cores")
    part = slide_samples.core_part(real_cores(), "0123a214", 1500, 1000, 1600)
    for number, said in enumerate(("0.000001", "1000000")):
        path = slide_samples.write_ome(tmp_path / f"{number}.ome.tif", part, said)
        with Slide(path) as slide:
            plan = plan_slide(slide)
        assert plan.scale.source == "nuclei"
        assert 0.15 < plan.scale.um_per_pixel < 0.45
        assert "µm per pixel, which no slide scanner has" in plan.notes[0]


def test_regions_lie_on_tissue_and_in_the_annotated_areas(tmp_path):
    rgb = slide_samples.painted_cores([(2000, 1500)], 1400, (4000, 3000))
    path = slide_samples.write_tiff(tmp_path / "a.tif", rgb)
    left = Area("Tumor", ((rectangle(0, 0, 2000, 2000),),))
    with Slide(path) as slide:
        everywhere = plan_slide(slide)
        some = plan_slide(slide, areas=(left,))
        with pytest.raises(SlideError, match="no tissue was found in the annotated areas"):
            plan_slide(slide, areas=(Area("", ((rectangle(3900, 2900, 3990, 2990),),)),))
        with pytest.raises(SlideError, match="membranes are not resolved"):
            plan_slide(slide, um_per_pixel=1.2)
    assert all(region.size == 800 for region in everywhere.regions)
    assert 0 < len(some.regions) < len(everywhere.regions)
    assert all(region.x < 2000 for region in some.regions)


def test_an_empty_slide_is_not_scored(tmp_path):
    Image.new("RGB", (1000, 1000), slide_samples.GLASS).save(tmp_path / "empty.png")
    with Slide(tmp_path / "empty.png") as slide, pytest.raises(SlideError, match="no tissue"):
        plan_slide(slide, um_per_pixel=0.25)
