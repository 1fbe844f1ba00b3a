"""Lines round what a map marks, and which tissue that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2core.common.palette import CONTOUR as FOR
from her2core.common.palette import CONTOUR_AGAINST as AGAINST
from her2core.common.palette import CONTOUR_FOR as FOR_SIGNED
from her2core.scores import HER2Score
from her2core.training.synthetic import GeneratorConfig, make_patch
from her2core.xai.contours import draw_contours
from her2core.xai.explanation import Explanation, Method
from her2core.xai.whereabouts import Parts, find_parts, in_words, whereabouts

TWO, THREE = HER2Score.TWO_PLUS, HER2Score.THREE_PLUS


def explanation(heat: np.ndarray, method: Method = "grad_cam", against: HER2Score | None = None):
    return Explanation(method, "cnn-1", TWO, heat.astype(np.float32), 1.0, "", against=against)


def a_bump(x: int, y: int, sigma: float = 25.0) -> np.ndarray:
    yy, xx = np.mgrid[0:224, 0:224]
    return np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2))


def coloured(drawn: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(drawn.astype(int) - colour).max(axis=-1) < 30


def test_a_line_goes_round_the_heat_and_leaves_what_is_inside():
    grey = np.full((448, 448, 3), 128, np.uint8)
    drawn = draw_contours(grey, explanation(a_bump(60, 150)))
    line = np.argwhere(coloured(drawn, FOR))
    assert len(line) > 100
    assert line.mean(axis=0) == pytest.approx([300, 120], abs=6)
    assert np.array_equal(drawn[300, 120], grey[300, 120])
    assert np.array_equal(drawn[20, 400], grey[20, 400])


def test_a_contrast_has_lines_of_two_colours_each_where_it_belongs():
    grey = np.full((224, 224, 3), 128, np.uint8)
    heat = a_bump(60, 60) - a_bump(160, 160)
    drawn = draw_contours(grey, explanation(heat, against=THREE))
    assert np.argwhere(coloured(drawn, FOR_SIGNED)).mean(axis=0) == pytest.approx([60, 60], abs=5)
    assert np.argwhere(coloured(drawn, AGAINST)).mean(axis=0) == pytest.approx([160, 160], abs=5)


def test_an_empty_map_draws_nothing_and_noise_is_no_scribble():
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(draw_contours(rgb, explanation(np.zeros((224, 224)))), rgb)
    grey = np.full((224, 224, 3), 128, np.uint8)
    noisy = a_bump(112, 112) + 0.5 * np.random.default_rng(1).standard_normal((224, 224))
    changed = draw_contours(grey, explanation(noisy, "shap")) != grey
    assert 0 < changed.any(axis=-1).mean() < 0.35


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    method=st.sampled_from(["grad_cam", "shap"]),
)
@settings(max_examples=20, deadline=None)
def test_any_size_keeps_its_size_and_its_own_pixels(height, width, method):
    rgb = np.full((height, width, 3), 90, np.uint8)
    drawn = draw_contours(rgb, explanation(a_bump(112, 112), method))
    assert drawn.shape == rgb.shape
    assert (rgb == 90).all()


# where --------------------------------------------------------------------------------------------


def halves() -> Parts:
    """Membrane in the left quarter, nuclei in the right half."""
    membrane, nuclei = np.zeros((2, 224, 224), np.float32)
    membrane[:, :56] = 1
    nuclei[:, 112:] = 1
    return Parts(membrane, nuclei)


def test_shares_are_of_the_positive_heat_and_stand_beside_those_of_the_patch():
    heat = np.zeros((224, 224))
    heat[:, :56] = 1.0
    heat[:, 112:168] = 0.5
    heat[:, 60:100] = -9.0
    found = whereabouts(explanation(heat, "shap"), halves())
    assert found is not None
    shares = (found.membrane, found.nuclei, found.elsewhere)
    assert shares == pytest.approx((2 / 3, 1 / 3, 0))
    areas = (found.membrane_area, found.nuclei_area, found.elsewhere_area)
    assert areas == pytest.approx((0.25, 0.5, 0.25))
    assert in_words(found) == (
        "On stained membrane 67 % (of the patch 25 %), nuclei 33 % (50 %), rest 0 % (25 %)"
    )


def test_a_map_without_information_has_the_shares_of_the_patch_and_an_empty_one_none():
    found = whereabouts(explanation(np.ones((224, 224))), halves())
    assert found is not None
    assert (found.membrane, found.nuclei) == pytest.approx((0.25, 0.5))
    assert whereabouts(explanation(np.zeros((224, 224))), halves()) is None


def test_the_parts_found_are_those_the_generator_drew():
    config = GeneratorConfig(size=448, field_um=(110.0, 110.0))
    patch = make_patch(HER2Score.THREE_PLUS, np.random.default_rng(8), config)
    parts = find_parts(patch.rgb, um_per_pixel=110 / 448)
    truth = patch.membrane.reshape(224, 2, 224, 2).mean(axis=(1, 3))
    found = parts.membrane > 0.5
    assert truth[found].mean() > 2 * truth.mean()
    assert parts.membrane[truth > 0.5].mean() > 0.5
    assert (parts.membrane + parts.nuclei).max() <= 1 + 1e-5
    heat = explanation(truth)
    told = whereabouts(heat, parts)
    assert told is not None
    assert told.membrane > 2 * told.membrane_area


def test_glass_has_no_parts():
    parts = find_parts(np.full((100, 100, 3), 240, np.uint8))
    assert not parts.membrane.any()
    assert not parts.nuclei.any()
