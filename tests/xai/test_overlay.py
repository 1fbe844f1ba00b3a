"""Heat over tissue: nothing hidden, nothing drawn without heat, verdicts written below."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from her2core.models.verdict import Verdict
from her2core.scores import HER2Score
from her2core.settings import PROJECT_ROOT
from her2core.xai.explanation import Explanation, Method
from her2core.xai.overlay import annotate, blend, colour_stops, map_line, verdict_line

METHODS: tuple[Method, ...] = ("grad_cam", "shap")
CONTRAST = HER2Score.THREE_PLUS


def explanation(method: Method, heat: np.ndarray) -> Explanation:
    return Explanation(
        method, "cnn-0123456789ab", HER2Score.TWO_PLUS, heat.astype(np.float32), 1.0, ""
    )


def field(height: int = 64, width: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramp(method: Method) -> np.ndarray:
    low = 0.0 if method == "grad_cam" else -1.0
    return np.tile(np.linspace(low, 1.0, 224), (224, 1))


@pytest.mark.parametrize("method", METHODS)
def test_without_opacity_the_image_is_untouched(method: Method) -> None:
    image = field()
    assert np.array_equal(blend(image, explanation(method, ramp(method)), 0.0), image)


def test_without_heat_grad_cam_leaves_the_image_and_shap_only_takes_its_colours() -> None:
    image, cold = field(), np.zeros((224, 224))
    assert np.array_equal(blend(image, explanation("grad_cam", cold), 1.0), image)
    grey = blend(image, explanation("shap", cold), 1.0).astype(int)
    assert np.ptp(grey, axis=2).max() == 0
    lightness = image @ np.array([0.299, 0.587, 0.114])
    assert np.corrcoef(grey[..., 0].ravel(), lightness.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("method", METHODS)
def test_even_at_full_opacity_the_tissue_shines_through(method: Method) -> None:
    hot = explanation(method, np.ones((224, 224)))
    dark, light = (np.full((8, 8, 3), value, np.uint8) for value in (0, 255))
    difference = blend(light, hot, 1.0).astype(int) - blend(dark, hot, 1.0)
    assert difference.min() >= 20


@given(
    method=st.sampled_from(METHODS),
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    opacity=st.floats(-1, 2),
)
@settings(max_examples=40, deadline=None)
def test_any_size_and_opacity_gives_an_image_of_the_same_size(
    method: Method, height: int, width: int, opacity: float
) -> None:
    image = field(height, width)
    before = image.copy()
    drawn = blend(image, explanation(method, ramp(method)), opacity)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert np.array_equal(image, before)


def test_more_heat_covers_more() -> None:
    grey = np.full((224, 224, 3), 128, np.uint8)
    drawn = blend(grey, explanation("grad_cam", ramp("grad_cam")), 1.0).astype(int)
    change = np.abs(drawn - 128).sum(axis=2)[0]
    assert change[0] < 5 < change[112] < change[223]


def test_shap_is_red_for_and_blue_against() -> None:
    grey = np.full((224, 224, 3), 128, np.uint8)
    drawn = blend(grey, explanation("shap", ramp("shap")), 1.0).astype(int)
    against, neutral, in_favour = drawn[0, 0], drawn[0, 112], drawn[0, -1]
    assert against[2] > against[0] + 80
    assert in_favour[0] > in_favour[2] + 80
    assert np.ptp(neutral) < 20


def test_a_contrast_is_red_for_and_blue_against_whatever_the_method() -> None:
    grey = np.full((224, 224, 3), 128, np.uint8)
    heat = np.tile(np.linspace(-1, 1, 224), (224, 1))
    contrast = replace(explanation("grad_cam", heat), against=CONTRAST)
    drawn = blend(grey, contrast, 1.0).astype(int)
    assert drawn[0, 0][2] > drawn[0, 0][0] + 80
    assert drawn[0, -1][0] > drawn[0, -1][2] + 80
    assert colour_stops("grad_cam", signed=True)[0].value == -1.0
    assert map_line(contrast) == "Grad-CAM for 2+ rather than 3+ · cnn-0123456789ab"


@pytest.mark.parametrize("method", METHODS)
def test_the_legend_shows_the_colours_that_are_drawn(method: Method) -> None:
    stops = colour_stops(method)
    assert [stop.value for stop in stops] == sorted(stop.value for stop in stops)
    assert stops[0].value == (0.0 if method == "grad_cam" else -1.0)
    assert stops[-1].value == 1.0
    white = np.full((4, 4, 3), 255, np.uint8)
    for stop in stops:
        drawn = blend(white, explanation(method, np.full((224, 224), stop.value)), 1.0)
        expected = stop.cover * np.array(stop.rgb) + (1 - stop.cover) * 255
        assert np.allclose(drawn[0, 0], expected, atol=1.0)


def test_grad_cam_colours_rise_in_lightness_for_every_eye() -> None:
    lightness = [
        0.2126 * r + 0.7152 * g + 0.0722 * b
        for r, g, b in (stop.rgb for stop in colour_stops("grad_cam"))
    ]
    assert lightness == sorted(lightness)


@given(
    lines=st.lists(st.text(max_size=200), max_size=3),
    width=st.sampled_from([32, 300, 448, 900]),
)
@settings(max_examples=25, deadline=None)
def test_any_caption_leaves_the_image_intact(lines: list[str], width: int) -> None:
    image = field(40, width)
    written = annotate(image, lines, ["CNN 2+"])
    assert np.array_equal(written[:40, :width], image)
    assert written.shape[1] == max(width, 448)
    assert written.dtype == np.uint8
    assert (written[40:] < 128).any()


def test_a_longer_caption_makes_a_taller_strip() -> None:
    image = field(100, 448)
    short = annotate(image, ["a"], ["CNN 2+"])
    long = annotate(image, ["word " * 60], ["CNN 2+", "x" * 400])
    assert long.shape[0] > short.shape[0] + 60


def test_verdicts_are_written_in_words_and_numbers() -> None:
    verdict = Verdict("densenet121", "densenet121-0123456789ab", (0.03, 0.12, 0.846, 0.004), True)
    said = verdict_line(verdict)
    assert said == "DenseNet121 2+ (equivocal); 0: 3 %, 1+: 12 %, 2+: 85 %, 3+: <1 %"
    assert map_line(explanation("shap", np.zeros((224, 224)))) == "SHAP for 2+ · cnn-0123456789ab"


def test_drawing_needs_no_tensorflow() -> None:
    code = "import sys, her2core.xai.overlay, her2core.serving.workbench\n"
    code += "import her2core.models.bundles.registry\n"
    code += "sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras', 'shap', 'streamlit')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT).returncode == 0
