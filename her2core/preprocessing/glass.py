"""One colour before the networks: white balance by the glass beside the tissue.

Scanners and cameras show unstained glass burnt out to white, grey, or tinted. Light that a stain
absorbs is a share of what comes through the glass, so dividing by the glass brings pictures of all
of them to one appearance. It is a gain for each channel, as any camera's white balance is. Without
glass a picture stays as it is: what is brightest in it may be pale tissue.
"""

from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

# names what a bundle's card says; a change of the method gets a new name
WhiteBalance = Literal["glass-1"]
Colour = tuple[float, float, float]

# what glass becomes, in every channel; a little below white, so that what is pale stays visible
WHITE = 240.0
_OVERVIEW_SIDE = 128
# glass is nearly neutral, among the brightest of the picture, and even
_MOST_TINT = 0.10
_LEAST_LEVEL = 150.0
_NEAR_BRIGHTEST = 0.93
_BRIGHTEST_PERCENT = 99.5
_MOST_VARIATION = 3.0
_LEAST_SHARE = 0.01


def find_glass(rgb: npt.NDArray[np.uint8]) -> Colour | None:
    """The colour of unstained glass in a picture, uint8 (H, W, 3); None where there is none.

    The median over all pixels that are near-neutral, near the brightest of the picture, and in an
    even neighbourhood, where at least 1 % of the picture is such.
    """
    small = cv2.GaussianBlur(_overview(rgb), (0, 0), 1.0).astype(np.float32)
    highest, lowest = small.max(axis=2), small.min(axis=2)
    level = small.mean(axis=2)
    variance = cv2.blur(level * level, (5, 5)) - cv2.blur(level, (5, 5)) ** 2
    least = max(_NEAR_BRIGHTEST * float(np.percentile(level, _BRIGHTEST_PERCENT)), _LEAST_LEVEL)
    glass = (
        (highest - lowest < _MOST_TINT * highest)
        & (level > least)
        & (variance < _MOST_VARIATION**2)
    )
    if glass.mean() < _LEAST_SHARE:
        return None
    red, green, blue = np.median(small[glass], axis=0)
    return float(red), float(green), float(blue)


def balanced(rgb: npt.NDArray[np.uint8], glass: Colour) -> npt.NDArray[np.uint8]:
    """The picture, uint8 (H, W, 3), with the colour `glass` made `WHITE` in every channel."""
    levels = np.arange(256, dtype=np.float32)[:, None] * (
        np.float32(WHITE) / np.asarray(glass, np.float32)
    )
    table = np.clip(np.round(levels), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(np.ascontiguousarray(rgb), table[None]), dtype=np.uint8)


def prepared(rgb: npt.NDArray[np.uint8], how: WhiteBalance | None) -> npt.NDArray[np.uint8]:
    """The picture, uint8 (H, W, 3), as a network trained with this white balance sees it."""
    glass = None if how is None else find_glass(rgb)
    return rgb if glass is None else balanced(rgb, glass)


def _overview(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    scale = _OVERVIEW_SIDE / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
