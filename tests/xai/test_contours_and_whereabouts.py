"""Lines round what a map marks, and which tissue that is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2core.common.palette import CONTOUR as FOR
from her2core.common.palette import CONTOUR_AGAINST as AGAINST
from her2core.common.palette import CONTOUR_FOR as FOR_SIGNED
from her2core.common.svg import Lines, outlines_svg
from her2core.scores import HER2Score
from her2core.training.synthetic import GeneratorConfig, make_patch
from her2core.xai.contours import contours_svg
from her2core.xai.explanation import Explanation, Method
from her2core.xai.whereabouts import Parts, find_parts, in_words, whereabouts

SVG = "{http://www.w3.org/2000/svg}"
TWO, THREE = HER2Score.TWO_PLUS, HER2Score.THREE_PLUS


def explanation(heat: np.ndarray, method: Method = "grad_cam", against: HER2Score | None = None):
    return Explanation(method, "cnn-1", TWO, heat.astype(np.float32), 1.0, "", against=against)


def a_bump(x: int, y: int, sigma: float = 25.0) -> np.ndarray:
    yy, xx = np.mgrid[0:224, 0:224]
    return np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2))


def points(svg: str, colour: tuple[int, int, int]) -> np.ndarray:
    """All corners of the lines of a colour, (n, 2) of x and y."""
    stroke = "rgb({},{},{})".format(*colour)
    paths = ET.fromstring(svg).iter(f"{SVG}path")
    lines = [path.get("d", "") for path in paths if path.get("stroke") == stroke]
    numbers = [float(number) for line in lines for number in re.findall(r"[-\d.]+", line)]
    return np.array(numbers).reshape(-1, 2)


def test_a_line_goes_round_the_heat():
    line = points(contours_svg(explanation(a_bump(60, 150))), FOR)
    assert len(line) > 20
    assert line.mean(axis=0) == pytest.approx([60, 150], abs=4)
    away = np.hypot(*(line - [60, 150]).T)
    assert away.min() > 15  # where the heat is 0.75 of the most, by the bump's own formula
    assert away.max() == pytest.approx(25 * np.sqrt(-2 * np.log(0.4)), abs=1.5)


def test_a_contrast_has_lines_of_two_colours_each_where_it_belongs():
    svg = contours_svg(explanation(a_bump(60, 60) - a_bump(160, 160), against=THREE))
    assert points(svg, FOR_SIGNED).mean(axis=0) == pytest.approx([60, 60], abs=5)
    assert points(svg, AGAINST).mean(axis=0) == pytest.approx([160, 160], abs=5)


def test_an_empty_map_draws_nothing_and_noise_is_no_scribble():
    assert "path" not in contours_svg(explanation(np.zeros((224, 224))))
    noisy = a_bump(112, 112) + 0.5 * np.random.default_rng(1).standard_normal((224, 224))
    assert 0 < contours_svg(explanation(noisy, "shap")).count("M") < 40


@given(colour=st.tuples(*[st.integers(0, 255)] * 3), width=st.floats(0.5, 9))
def test_any_outline_becomes_an_svg_that_holds_nothing_but_lines(colour, width):
    outline = np.array([[0, 0], [5, 0], [5, 5.26]], np.float32)
    svg = outlines_svg(10, 20, [Lines([outline], colour, width), Lines([], colour, width)])
    root = ET.fromstring(svg)
    assert root.get("viewBox") == "0 0 10 20"
    assert [one.tag for one in root] == [f"{SVG}path"] * 2  # the line and its dark edge
    assert root[1].get("d") == "M0.0 0.0L5.0 0.0L5.0 5.3Z"


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
    assert found.heat == pytest.approx((2 / 3, 1 / 3, 0))
    assert found.area == pytest.approx((0.25, 0.5, 0.25))
    assert in_words(found) == (
        "On stained membrane 67 % (of the patch 25 %), nuclei 33 % (50 %), rest 0 % (25 %)"
    )


def test_a_map_without_information_has_the_shares_of_the_patch_and_an_empty_one_none():
    found = whereabouts(explanation(np.ones((224, 224))), halves())
    assert found is not None
    assert found.heat == pytest.approx((0.25, 0.5, 0.25))
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
    assert told.heat.membrane > 2 * told.area.membrane


def test_glass_has_no_parts():
    parts = find_parts(np.full((100, 100, 3), 240, np.uint8))
    assert not parts.membrane.any()
    assert not parts.nuclei.any()
