"""One colour before the networks, and wide fields in parts."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from her2core.models.bundles.card import ModelInput
from her2core.models.reading_grid import squares_read, strongest
from her2core.preprocessing.glass import WHITE, find_glass, prepared
from her2core.preprocessing.patches import Patch, Square
from her2core.training.data.microscopes import LOOKS, seen_by_another

pictures = arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)))


def tissue_beside_glass(glass, side=224):
    """Brown and blue tissue on the left half, even glass on the right."""
    rng = np.random.default_rng(3)
    light = np.ones((side, side, 3))
    light[:, : side // 2] = rng.uniform(0.2, 0.8, (side, side // 2, 1)) * np.array([0.8, 0.6, 0.5])
    return np.round(light * np.array(glass)).astype(np.uint8)


@pytest.mark.parametrize("glass", [(250, 250, 250), (205, 204, 198), (180, 184, 190)])
def test_glass_becomes_one_colour_whatever_it_was(glass):
    picture = tissue_beside_glass(glass)
    assert find_glass(picture) == pytest.approx(glass, abs=2)
    right = prepared(picture, "glass-1")[:, 130:]
    assert np.abs(right.astype(int) - WHITE).max() <= 3


def test_one_tissue_under_two_lamps_comes_out_alike():
    bright = prepared(tissue_beside_glass((252, 252, 252)), "glass-1")
    grey = prepared(tissue_beside_glass((190, 186, 176)), "glass-1")
    assert np.abs(bright.astype(int) - grey.astype(int)).max() <= 3


def test_without_glass_nothing_is_corrected():
    picture = tissue_beside_glass((200, 200, 200))[:, :112]
    assert find_glass(picture) is None
    assert np.array_equal(prepared(picture, "glass-1"), picture)


def test_coloured_light_is_no_glass():
    assert find_glass(np.full((64, 64, 3), (240, 160, 200), np.uint8)) is None


@given(pictures)
def test_any_picture_can_be_balanced_and_without_a_balance_stays_as_it_is(picture):
    found = prepared(picture, "glass-1")
    assert found.shape == picture.shape
    assert found.dtype == np.uint8
    assert prepared(picture, None) is picture


@given(st.integers(1, 224), st.sampled_from(LOOKS), st.integers(0, 1000))
def test_another_microscope_gives_a_picture_of_the_same_size(level, look, seed):
    picture = np.full((224, 224, 3), level / 255, np.float32)
    found = seen_by_another(picture, np.random.default_rng(seed), look)
    assert found.shape == (224, 224, 3)
    assert found.dtype == np.uint8


def patch_of(side, size=None):
    rgb = np.full((side, side, 3), 200, np.uint8)
    square = Square.centred(side, side) if size is None else Square(5, 7, size)
    return Patch("a.png", f"{side:064d}", rgb, square)


def test_a_large_square_is_cut_in_four():
    large = patch_of(512)
    whole, *parts = squares_read(large, "grid-1")
    assert whole == large.square
    assert {(part.x, part.y, part.size) for part in parts} == {
        (x, y, 256) for x in (0, 256) for y in (0, 256)
    }


def test_a_square_of_few_pixels_is_read_whole_and_so_is_any_for_an_older_bundle():
    cases: tuple[tuple[int, Literal["grid-1"] | None], ...]
    cases = ((447, "grid-1"), (224, "grid-1"), (1024, None))
    for side, reading in cases:
        patch = patch_of(side)
        assert squares_read(patch, reading) == (patch.square,)


def test_parts_lie_within_a_square_that_is_not_the_whole_picture():
    patch = patch_of(512, size=449)
    for part in squares_read(patch, "grid-1"):
        patch.with_square(part)  # refuses a square outside the picture
        assert part.x >= 5
        assert part.y >= 7
        assert part.x + part.size <= 5 + 449


def test_the_strongest_part_decides_and_the_whole_only_where_there_is_no_part():
    whole, faint, strong = [0, 0, 0, 1.0], [0.9, 0.1, 0, 0], [0, 0.2, 0.8, 0]
    assert strongest([whole]) == 0
    assert strongest([whole, faint, strong, faint, faint]) == 2


def test_an_input_without_both_is_what_older_bundles_have():
    assert ModelInput() == ModelInput(224, (0.0, 1.0), "RGB", None, None)
