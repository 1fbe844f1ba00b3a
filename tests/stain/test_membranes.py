"""The third reader: what is membrane, how complete, and what the ASCO/CAP rule makes of it."""

from __future__ import annotations

from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from her2core.common.optics import DAB, HAEMATOXYLIN, optical_density
from her2core.common.palette import CELLS, NOT_COUNTED
from her2core.scores import HER2Score
from her2core.settings import load_settings
from her2core.stain.cells import Pattern, classify
from her2core.stain.drawing import cells_svg, legend
from her2core.stain.membranes import membrane_lines
from her2core.stain.reading import is_ultralow, score_of
from her2core.stain.report import measure_membranes
from her2core.stain.thresholds import StainThresholds
from her2core.training.synthetic import GeneratorConfig, make_patch

UM = 0.4
SIDE = 320
PITCH = 40
THRESHOLDS = StainThresholds()


def tissue(
    membrane: float,
    around: float = 1.0,
    cytoplasm: float = 0.0,
    grain: float = 0.0,
    nucleus: float = 0.35,
    blush: float = 0.0,
) -> np.ndarray:
    """64 round cells, 12 µm across at 0.4 µm per pixel, each with a nucleus.

    Args:
        membrane: DAB density of the membranes.
        around: share of each ring that is stained.
        cytoplasm: DAB density within the cells.
        grain: how far that varies from pixel group to pixel group.
        nucleus: haematoxylin density of the nuclei.
        blush: DAB density of all but the topmost rows, the nuclei included.
    """
    blue, brown = np.full((SIDE, SIDE), 0.04, np.float32), np.zeros((SIDE, SIDE), np.float32)
    rng = np.random.default_rng(1)
    speck = cv2.resize(rng.normal(0, 1, (SIDE // 3, SIDE // 3)).astype(np.float32), (SIDE, SIDE))
    for x in range(PITCH // 2, SIDE, PITCH):
        for y in range(PITCH // 2, SIDE, PITCH):
            cell = np.zeros((SIDE, SIDE), np.uint8)
            cv2.circle(cell, (x, y), 18 if cytoplasm else 15, 1, -1)
            brown += cell * cytoplasm * np.clip(1 + grain * speck, 0, 3)
            if membrane:
                cv2.ellipse(brown, (x, y), (15, 15), 40, 0, 360 * around, membrane, 3)
            cv2.circle(blue, (x, y), 8, nucleus, -1)
            cv2.circle(brown, (x, y), 8, 0.0, -1)
    brown[16:] += blush  # the glass above it tells that it is none
    density = blue[..., None] * np.array(HAEMATOXYLIN) + brown[..., None] * np.array(DAB)
    density = cv2.GaussianBlur(density, (0, 0), 0.8)
    density[:6] = 0
    return np.round(250 * 10**-density).astype(np.uint8)


def test_deconvolution_gives_what_scikit_image_gives():
    # skimage 0.26: rgb2hed of this picture with its own vectors, columns H and D
    rgb = np.array([[[120, 90, 60], [180, 190, 220], [250, 250, 250], [90, 100, 150]]], np.uint8)
    expected = [[0.03445541, 0.12424661], [0.03951052, 0.0], [0.00173461, 0.00126415],
                [0.11398401, 0.00933445]]  # fmt: skip
    vectors = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    density = optical_density(rgb, np.full(3, 255, np.float32))
    # skimage counts density to the base of a million
    amounts = np.maximum(density @ np.linalg.inv(vectors) / 6, 0)
    assert amounts[0][:, [0, 2]] == pytest.approx(np.array(expected), abs=1e-5)


def test_a_line_is_a_line_and_a_plateau_or_a_grain_is_none():
    blue, brown = np.zeros((120, 120), np.float32), np.zeros((120, 120), np.float32)
    brown[20:23, 10:110] = 0.5
    brown[40:80, 10:60] = 0.5
    cv2.circle(brown, (90, 60), 2, 0.5, -1)
    brown[100:103, 10:110] = blue[100:103, 10:110] = 0.5
    lines = membrane_lines(blue, brown)
    assert lines[21, 30:90].min() > 0.35
    assert lines[52:68, 22:48].max() < 0.01
    assert lines[55:65, 85:95].max() < 0.3
    assert lines[101, 30:90].max() < 0.3


@pytest.mark.parametrize(
    ("density", "around", "pattern", "score"),
    [
        (0.0, 1.0, Pattern.NONE, HER2Score.ZERO),
        (0.25, 0.5, Pattern.FAINT_INCOMPLETE, HER2Score.ONE_PLUS),
        (0.6, 1.0, Pattern.MODERATE_COMPLETE, HER2Score.TWO_PLUS),
        (1.6, 1.0, Pattern.INTENSE_COMPLETE, HER2Score.THREE_PLUS),
    ],
)
def test_cells_stained_alike_give_their_pattern_and_score(density, around, pattern, score):
    report = measure_membranes(tissue(density, around), UM)
    assert 60 <= report.reading.cells <= 66
    assert report.reading.counts[pattern] >= 0.9 * report.reading.cells
    assert (report.reading.score, report.reading.reason) == (score, None)
    if pattern is Pattern.NONE:
        assert report.reading.completeness is report.reading.intensity is None
    else:
        assert report.reading.completeness == pytest.approx(around, abs=0.1)


# a known limit: dense grains as wide as a membrane (0.5) are taken for one in a third of the cells
@pytest.mark.parametrize("grain", [0.0, 0.3])
def test_brown_cytoplasm_is_no_membrane(grain):
    report = measure_membranes(tissue(0.0, cytoplasm=0.25, grain=grain), UM)
    assert report.reading.cells >= 55
    assert report.reading.shares[Pattern.NONE] > 0.9
    assert report.reading.score is HER2Score.ZERO


def test_a_cell_whose_nucleus_is_hidden_is_found_by_its_ring():
    report = measure_membranes(tissue(1.0, nucleus=0.065), UM)
    assert report.reading.counts[Pattern.INTENSE_COMPLETE] >= 40
    # a ring half of which is missing encloses nothing
    assert measure_membranes(tissue(1.0, around=0.5, nucleus=0.065), UM).reading.cells < 10


def test_a_nucleus_in_a_brown_blush_counts_like_any_other():
    plain, blushed = (measure_membranes(tissue(0.0, blush=b), UM) for b in (0.0, 0.15))
    assert plain.reading.cells >= 40
    assert blushed.reading.cells >= 0.9 * plain.reading.cells
    assert blushed.reading.score is HER2Score.ZERO


def test_scale_is_found_where_nobody_gives_it():
    rgb = tissue(0.6)
    large = cv2.resize(rgb, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    fine, coarse = measure_membranes(large), measure_membranes(rgb)
    assert (fine.scale_source, coarse.scale_source) == ("nuclei", "nuclei")
    assert coarse.um_per_pixel / fine.um_per_pixel == pytest.approx(2, rel=0.25)
    assert fine.reading.score is coarse.reading.score is HER2Score.TWO_PLUS
    assert measure_membranes(rgb, UM).scale_source == "given"


def test_large_images_are_measured_in_tiles():
    rgb = tissue(0.6)
    report = measure_membranes(np.tile(rgb, (4, 4, 1)), UM)
    assert report.reading.cells == pytest.approx(16 * 64, rel=0.08)
    assert report.reading.score is HER2Score.TWO_PLUS
    assert report.cells.outlines.max() > 1200


@pytest.mark.parametrize(
    ("shares", "score", "ultralow"),
    [
        ((1.0, 0.0, 0.0, 0.0), HER2Score.ZERO, False),
        ((0.995, 0.005, 0.0, 0.0), HER2Score.ZERO, False),
        ((0.95, 0.05, 0.0, 0.0), HER2Score.ZERO, True),
        ((0.90, 0.10, 0.0, 0.0), HER2Score.ZERO, True),
        ((0.89, 0.11, 0.0, 0.0), HER2Score.ONE_PLUS, False),
        ((0.85, 0.05, 0.10, 0.0), HER2Score.ONE_PLUS, False),
        ((0.89, 0.0, 0.11, 0.0), HER2Score.TWO_PLUS, False),
        ((0.90, 0.0, 0.0, 0.10), HER2Score.TWO_PLUS, False),
        ((0.95, 0.0, 0.0, 0.05), HER2Score.TWO_PLUS, False),
        ((0.89, 0.0, 0.0, 0.11), HER2Score.THREE_PLUS, False),
        ((0.0, 0.0, 0.0, 1.0), HER2Score.THREE_PLUS, False),
    ],
)
def test_the_asco_cap_rule(shares, score, ultralow):
    assert score_of(shares, THRESHOLDS) is score
    assert is_ultralow(shares, THRESHOLDS) is ultralow


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda v: sum(v) > 0.1))
def test_more_staining_never_gives_a_lower_score(parts):
    none, faint, moderate, intense = (part / sum(parts) for part in parts)
    score = score_of((none, faint, moderate, intense), THRESHOLDS)
    assert score_of((0.0, faint + none, moderate, intense), THRESHOLDS) >= score
    assert score_of((none, 0.0, moderate + faint, intense), THRESHOLDS) >= score
    assert score_of((none, faint, 0.0, intense + moderate), THRESHOLDS) >= score


@given(st.floats(0, 1), st.floats(0, 3))
def test_every_cell_has_one_pattern_and_rises_with_completeness(completeness, density):
    (pattern,) = classify([completeness], [density], THRESHOLDS)
    (more,) = classify([1.0], [density], THRESHOLDS)
    assert Pattern.NONE <= pattern <= max(more, Pattern.FAINT_INCOMPLETE)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3))),
    st.one_of(st.none(), st.floats(0.05, 5)),
)
def test_any_image_is_measured_or_refused_but_never_guessed(rgb, scale):
    report = measure_membranes(rgb, scale)
    assert (report.reading.score is None) == (report.reading.reason is not None)
    assert report.reading.score is None or report.reading.cells >= THRESHOLDS.least_cells
    if report.reading.cells:
        assert sum(report.reading.shares) == pytest.approx(1)
        assert 0 <= report.cells.completeness.min() <= report.cells.completeness.max() <= 1
    else:
        assert report.reading.shares is None
    drawn = cells_svg(report, rgb.shape[1], rgb.shape[0])
    assert drawn.count("M") <= 2 * len(report.cells)


@pytest.mark.parametrize("kind", ["black", "white", "grey", "noise"])
def test_blank_and_noise_give_no_score_rather_than_a_0(kind):
    rgb = {
        "black": np.zeros((448, 448, 3), np.uint8),
        "white": np.full((448, 448, 3), 255, np.uint8),
        "grey": np.full((448, 448, 3), 128, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (448, 448, 3)).astype(np.uint8),
    }[kind]
    for scale in (0.25, None):
        report = measure_membranes(rgb, scale)
        assert report.reading.score is None
        assert report.reading.reason.startswith(
            "The colours" if kind == "noise" else "Too few cells"
        )
        assert report.reading.verdict == "no score"


@pytest.mark.parametrize("bad", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float32)])
def test_what_is_no_image_is_refused(bad):
    with pytest.raises(ValueError, match="uint8 images"):
        measure_membranes(bad)
    with pytest.raises(ValueError, match="positive"):
        measure_membranes(np.zeros((5, 5, 3), np.uint8), 0.0)


def test_every_cell_is_drawn_in_the_colour_of_its_pattern_and_the_legend_says_which():
    report = measure_membranes(tissue(0.6), UM)
    paths = list(ElementTree.fromstring(cells_svg(report, 448, 448)))
    drawn = {path.get("stroke"): path.get("d", "").count("M") for path in paths}
    for pattern in Pattern:
        colour = "rgb({},{},{})".format(*CELLS[pattern])
        assert drawn.get(colour, 0) == report.reading.counts[pattern]
    assert drawn.get("rgb({},{},{})".format(*NOT_COUNTED), 0) == report.other_cells
    names = [name for _, name in legend()]
    assert names[:4] == [name for name, _, _ in report.reading.table()]
    assert len({colour for colour, _ in legend()}) == 5
    assert sum(count for _, count, _ in report.reading.table()) == report.reading.cells


def test_what_is_too_coarse_for_a_membrane_gets_no_score():
    rgb = np.full((224, 224, 3), 235, np.uint8)
    limit = StainThresholds().coarsest_um_per_pixel
    fine, coarse = (measure_membranes(rgb, limit + step) for step in (0.0, 0.01))
    assert fine.reading.reason.startswith("Too few cells")
    assert coarse.reading.reason.startswith("Too coarse")
    assert coarse.reading.score is None


def test_thresholds_are_in_the_settings_and_checked(tmp_path):
    assert load_settings({"HER2_HOME": str(tmp_path)}).stain == StainThresholds()
    assert StainThresholds().positive_share == 0.10
    with pytest.raises(ValueError, match="between 0 and 1"):
        StainThresholds(positive_share=10)
    with pytest.raises(ValueError, match="rise"):
        StainThresholds(moderate_density=0.9)


def test_the_same_image_gives_the_same_report():
    patch = make_patch(HER2Score.TWO_PLUS, np.random.default_rng(3), GeneratorConfig(size=224))
    assert measure_membranes(patch.rgb) == measure_membranes(patch.rgb)


def test_synthetic_patches_come_out_near_their_truth():
    config = GeneratorConfig(size=448, field_um=(110.0, 150.0), stroma_only=0.2, breast=False)
    rng = np.random.default_rng(12)
    pairs = [
        (patch, measure_membranes(patch.rgb, patch.field_um / 448))
        for patch in (make_patch(HER2Score(i % 4), rng, config) for i in range(12))
    ]
    scored = [(p, r.reading) for p, r in pairs if r.reading.score is not None]
    assert len(scored) >= 8
    assert np.mean([r.score is p.score for p, r in scored]) >= 0.75
    assert max(abs(int(r.score) - int(p.score)) for p, r in scored) <= 1


@pytest.mark.real_images
def test_real_patches_reduced_to_a_micrometre_per_pixel_are_called_too_coarse(real_patches):
    said: dict[int, list[str]] = {1: [], 4: []}
    for file in real_patches[::16]:
        rgb = cv2.imread(str(file))[..., ::-1].copy()
        for factor, reasons in said.items():
            size = (rgb.shape[1] // factor, rgb.shape[0] // factor)
            small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
            reasons.append(measure_membranes(small).reading.reason or "")
    too_coarse = {
        factor: np.mean([reason.startswith("Too coarse") for reason in reasons])
        for factor, reasons in said.items()
    }
    assert too_coarse[1] == 0
    assert too_coarse[4] > 0.8
    assert any("at an estimated 1.00 µm" in reason for reason in said[4])


@pytest.mark.real_images
def test_real_patches_of_clear_cores_get_their_core_s_order(real_patches):
    shares: dict[str, list[tuple[float, ...]]] = {}
    for core, every in (("aa1da043", 6), ("a5593c5e", 6), ("a1f1510c", 6)):
        files = [file for file in real_patches if file.name.startswith(core)][::every]
        for file in files:
            rgb = cv2.imread(str(file))[..., ::-1].copy()
            report = measure_membranes(rgb, 0.25)
            assert report.reading.cells > 10
            shares.setdefault(core, []).append(report.reading.shares)
    unstained, equivocal, positive = (np.mean(shares[core], axis=0) for core in shares)
    assert unstained[Pattern.NONE] > 0.98
    assert equivocal[Pattern.NONE] < 0.6
    assert equivocal[Pattern.INTENSE_COMPLETE] < 0.05
    assert positive[Pattern.INTENSE_COMPLETE] > 0.15
