"""What reaches the screen shows the image as it is."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from her2core.preprocessing.patches import Square
from her2core.preprocessing.screen import enlarged, png


def read(data: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), 1), cv2.COLOR_BGR2RGB)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_picture_keeps_every_pixel_and_how_opaque_it_is():
    rgb = noise(448, 600)
    assert np.array_equal(read(png(rgb)), rgb)
    with_opacity = np.dstack([rgb, rgb[..., 0]])
    stored = cv2.imdecode(np.frombuffer(png(with_opacity), np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(cv2.cvtColor(stored, cv2.COLOR_BGRA2RGBA), with_opacity)


def test_large_images_are_reduced_and_small_ones_enlarged():
    assert enlarged(noise(3000, 1500), longest=1000).shape == (1000, 500, 3)
    assert enlarged(noise(64, 64), shortest=448).shape == (448, 448, 3)
    assert enlarged(noise(32, 4000), longest=1000, shortest=448).shape[1] == 1000


@given(
    st.builds(Square, *[st.integers(-(10**9), 10**9)] * 3),
    st.integers(32, 9000),
    st.integers(32, 9000),
)
def test_any_square_that_is_asked_for_becomes_one_of_the_image(asked, width, height):
    found = asked.within(width, height, 64)
    assert 0 <= found.x <= width - found.size
    assert 0 <= found.y <= height - found.size
    assert min(64, width, height) <= found.size <= min(width, height)
    assert found.within(width, height, 64) == found
