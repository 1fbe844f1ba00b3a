"""What reaches the screen shows the image as it is, and where the models look."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from her2core.preprocessing.patches import Patch, Square
from her2core.preprocessing.screen import framed, png


def read(data: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), 1), cv2.COLOR_BGR2RGB)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_an_image_that_fits_the_screen_keeps_every_pixel():
    rgb = noise(448, 600)
    assert np.array_equal(read(png(rgb)), rgb)


def test_large_images_are_reduced_and_small_ones_enlarged():
    assert read(png(noise(3000, 1500), longest=1000)).shape == (1000, 500, 3)
    assert read(png(noise(64, 64), shortest=448)).shape == (448, 448, 3)
    assert read(png(noise(32, 4000), longest=1000, shortest=448)).shape[1] == 1000


def test_the_frame_leaves_the_square_untouched_and_veils_the_rest():
    rgb = np.full((500, 900, 3), 80, np.uint8)
    patch = Patch("wide.png", "0" * 64, rgb, Square.centred(900, 500))
    shown = read(framed(patch))
    assert shown.shape == rgb.shape
    assert np.array_equal(shown[250, 450], rgb[250, 450])
    assert shown[250, 20].min() > 140
    assert np.array_equal(shown[250, 20], shown[480, 880])


def test_a_square_image_is_shown_without_a_frame():
    rgb = noise(500, 500)
    patch = Patch("square.png", "0" * 64, rgb, Square.centred(500, 500))
    assert np.array_equal(read(framed(patch)), rgb)


@settings(max_examples=25, deadline=None)
@given(st.integers(32, 400), st.integers(32, 400), st.data())
def test_any_square_of_any_image_can_be_framed(width, height, data):
    size = data.draw(st.integers(32, min(width, height)))
    square = Square(
        data.draw(st.integers(0, width - size)), data.draw(st.integers(0, height - size)), size
    )
    patch = Patch("any.png", "0" * 64, noise(height, width), square)
    shown = read(framed(patch, longest=300))
    assert max(shown.shape[:2]) <= 300
