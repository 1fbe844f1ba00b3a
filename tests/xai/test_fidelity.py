"""Measures of fidelity: a true map scores well, a useless one at chance, and a failure is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2core.xai import fidelity
from her2core.xai.fidelity_report import (
    NOTHING_CHECKED,
    Convergence,
    FidelityReport,
    Measured,
    MethodFidelity,
    ModelFidelity,
    measured,
    read_report,
)
from her2core.xai.methods import METHODS

SIDE = 48
SPOT = np.s_[10:18, 20:28]
RNG = np.random.default_rng


def a_patch() -> np.ndarray:
    """A dark square on light ground."""
    pixels = np.full((SIDE, SIDE, 3), 0.9, np.float32)
    pixels[SPOT] = 0.1
    return pixels


def darkness(pixels: np.ndarray) -> np.ndarray:
    """A network that looks at the square only: 1 where it is dark, 0 where it is blurred away."""
    return np.clip((0.9 - pixels[:, 10:18, 20:28].mean(axis=(1, 2, 3))) / 0.8, 0, 1)


def heat_at(place: tuple[slice, slice]) -> np.ndarray:
    heat = np.zeros((SIDE, SIDE), np.float32)
    heat[place] = 1
    return heat


def test_a_map_of_what_matters_gains_and_one_of_what_does_not_loses():
    true = fidelity.curves(darkness, a_patch(), fidelity.importance_order(heat_at(SPOT), RNG(0)))
    wrong = fidelity.curves(darkness, a_patch(), fidelity.importance_order(-heat_at(SPOT), RNG(0)))
    assert true.deletion[0] == true.insertion[-1] == pytest.approx(1, abs=1e-6)
    assert true.deletion[-1] == true.insertion[0] < 0.2
    assert true.deletion[1] < 0.2
    assert true.insertion[1] > 0.9
    assert true.gain > 0.6
    assert wrong.gain < -0.6
    assert true.insertion_area - true.deletion_area == pytest.approx(true.gain)


def test_random_order_gains_nothing_on_average():
    orders = [
        fidelity.importance_order(RNG(i).random((SIDE, SIDE), np.float32), RNG(i))
        for i in range(30)
    ]
    gains = [fidelity.curves(darkness, a_patch(), order).gain for order in orders]
    assert abs(np.mean(gains)) < 0.05


def test_the_network_is_asked_about_each_picture_once():
    asked: list[int] = []

    def counting(pixels: np.ndarray) -> np.ndarray:
        asked.append(len(pixels))
        return darkness(pixels)

    fidelity.curves(counting, a_patch(), np.arange(SIDE * SIDE), steps=4)
    assert asked == [8]  # whole, blurred, three of each between


@given(seed=st.integers(0, 1000), levels=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_the_order_holds_every_pixel_once_and_falls(seed, levels):
    heat = RNG(seed).integers(0, levels, (9, 11)).astype(np.float32)
    order = fidelity.importance_order(heat, RNG(seed))
    assert sorted(order) == list(range(99))
    assert (np.diff(heat.ravel()[order]) <= 0).all()


def test_equal_heat_is_not_ordered_from_the_top():
    order = fidelity.importance_order(np.zeros((40, 40), np.float32), RNG(1))
    assert 600 < order[:200].mean() < 1000


def test_correlation_of_maps():
    heat = RNG(3).random((30, 30)).astype(np.float32)
    empty = np.zeros_like(heat)
    assert fidelity.rank_correlation(heat, heat**3) == pytest.approx(1)
    assert fidelity.rank_correlation(heat, -heat) == pytest.approx(-1)
    assert fidelity.rank_correlation(heat, empty) == 0
    assert fidelity.rank_correlation(empty, empty) == 1


def test_a_map_that_moves_with_the_tissue_is_stable_under_a_shift():
    pixels = RNG(4).random((SIDE, SIDE, 3)).astype(np.float32)
    moved = fidelity.shifted(pixels)
    assert moved.shape == pixels.shape
    assert np.array_equal(moved[3:, 5:], pixels[:-3, :-5])
    follows = fidelity.shift_correlation(pixels[..., 0], moved[..., 0])
    stays = fidelity.shift_correlation(pixels[..., 0], pixels[..., 0])
    assert follows == pytest.approx(1)
    assert abs(stays) < 0.2


def test_compression_changes_little_and_stays_in_range():
    pixels = np.tile(np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None], (1, SIDE, 3))
    again = fidelity.recompressed(pixels)
    assert again.dtype == np.float32
    assert 0 < np.abs(again - pixels).max() < 0.1
    assert again.min() >= 0
    assert again.max() <= 1


def test_pointing_and_mass():
    mask = heat_at(SPOT) > 0
    assert fidelity.pointing(heat_at(SPOT), mask) == 1
    assert fidelity.pointing(heat_at(np.s_[30:31, 40:41]), mask) == 0
    assert fidelity.pointing(heat_at(np.s_[18:19, 20:21]), mask, tolerance=2) == 1
    assert fidelity.pointing(-heat_at(SPOT), mask) is None
    half = heat_at(SPOT) - 5 * heat_at(np.s_[0:2, 0:2])
    half[30:38, 20:28] = 1
    assert fidelity.mass_inside(half, mask) == pytest.approx(0.5)
    assert fidelity.mass_inside(np.ones((SIDE, SIDE), np.float32), mask) == pytest.approx(
        mask.mean()
    )
    assert fidelity.mass_inside(np.zeros((SIDE, SIDE), np.float32), mask) is None


# what the figures are said to mean ---------------------------------------------------------------

GOOD = {
    "gain": Measured(0.4, 0.3, 0.5, 9),
    "gain_over_random": Measured(0.4, 0.1, 0.5, 9),
    "randomised": Measured(-0.1, -0.2, 0.1, 9),
    "shift": Measured(0.9, 0.8, 1.0, 9),
    "jpeg": Measured(0.8, 0.7, 0.9, 9),
    "mass_over_area": Measured(1.6, 1.2, 2.0, 9),
}


def fidelity_of(method: str = "grad_cam", **changes: Measured) -> MethodFidelity:
    return MethodFidelity(method, {**GOOD, **changes}, (1.0, 0.5, 0.1), (0.1, 0.7, 1.0))


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({}, []),
        ({"gain_over_random": Measured(0.1, -0.01, 0.2, 9)}, ["Faithful"]),
        ({"randomised": Measured(0.31, 0.1, 0.5, 9)}, ["Depends on the weights"]),
        ({"randomised": Measured(-0.31, -0.5, 0.1, 9)}, ["Depends on the weights"]),
        ({"jpeg": Measured(0.49, 0.3, 0.6, 9)}, ["Stable"]),
        ({"shift": Measured(0.49, 0.3, 0.6, 9)}, ["Stable"]),
        ({"mass_over_area": Measured(1.2, 0.99, 1.4, 9)}, ["On stained membranes"]),
    ],
)
def test_each_figure_can_fail_its_check(change, failed):
    found = fidelity_of(**change)
    assert len(found.checks) == 4
    assert [check.name for check in found.checks if not check.passed] == failed
    report = FidelityReport("p", "2026-01-01", (ModelFidelity("cnn-1", (found,)),))
    warning = report.warning("cnn-1", "grad_cam")
    assert (warning is None) == (not failed)
    if failed:
        assert warning is not None
        assert "Grad-CAM failed a check" in warning


def test_what_was_not_measured_is_no_check_and_an_unknown_bundle_is_said_to_be_unchecked():
    bare = MethodFidelity("shap", {"shift": GOOD["shift"]}, (), ())
    assert [check.name for check in bare.checks] == ["Stable"]
    report = FidelityReport("p", "", (ModelFidelity("cnn-1", (bare,)),))
    assert report.warning("cnn-1", "shap") is None
    for model, method in (("cnn-2", "shap"), ("cnn-1", "hires_cam")):
        assert (
            report.warning(model, method)
            == f"{METHODS[method].title}: not checked for this bundle."
        )


def test_the_report_survives_writing_and_a_damaged_one_checks_nothing(tmp_path):
    shap = Convergence((10, 50), (0.6, 0.9), 1000, 2)
    model = ModelFidelity("cnn-1", (fidelity_of(), fidelity_of("random")), shap)
    report = FidelityReport("12 patches", "2026-01-01", (model,))
    path = tmp_path / "explanations.json"
    report.write(path)
    assert read_report(path) == report
    assert [one.title for one in read_report(path).models[0].methods] == [
        "Grad-CAM",
        "Random order",
    ]
    for text in ("", "[]", "{}", '{"patches": 1, "date": "", "models": [3]}', '{"models": null}'):
        path.write_text(text)
        assert read_report(path) == NOTHING_CHECKED
    assert read_report(tmp_path / "absent.json") == NOTHING_CHECKED


def test_a_mean_leaves_out_what_is_undefined():
    found = measured([0.2, None, 0.4])
    assert found is not None
    assert (found.value, found.n) == (pytest.approx(0.3), 2)
    assert 0.2 <= found.low <= found.value <= found.high <= 0.4
    assert measured([None, None]) is None
