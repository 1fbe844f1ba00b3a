"""Pen ink on the slide: wide, even areas in a colour no mixture of the two stains has.

Ink lies over everything below it, so even its palest spots are dense; tissue of the same density
has gaps. Hence only what stays after a morphological opening wider than a nucleus is looked at.
Black, blue, green and red markers are known; red beside black is no stroke but a picture of things.
On 201 real HER2 patches such areas lie between 0.2
and 1.1 along the line from haematoxylin to DAB and within 0.05 of it.
"""

import cv2
import numpy as np
import numpy.typing as npt

from her2core.preprocessing.quality.mixture_line import line_coordinates

FloatArray = npt.NDArray[np.float32]

# Sides of the opening, as a part of the picture's side.
_WIDTH = 0.055
_DENSE, _DARK = 0.6, 1.0
_GREENER, _PINKER = -0.12, 0.06
_BLUER, _NEUTRAL = 0.05, 0.65
_LEAST_SHARE = 0.015
# Real patches under one pen: red at most 0.04 of a black stroke, black 0.04 of a red one.
_RED_BESIDE_BLACK, _BLACK_BESIDE_RED = 0.06, 0.2


def ink_mask(density: FloatArray) -> npt.NDArray[np.bool_]:
    """Where ink lies.

    Args:
        density: optical density per channel, float32 (s, s, 3), of a picture reduced to some 110
            pixels.

    Returns:
        bool (s, s), soft edges included; all False where there is too little to be a stroke.
    """
    floor = opened(density, _WIDTH)
    strength = floor.sum(axis=2)
    along, across = line_coordinates(floor, np.maximum(strength, np.float32(1e-3)))
    off_line = (across < _GREENER) | (across > _PINKER)
    blue_or_black = ((along < _BLUER) & (strength > _DARK * 0.8)) | (
        (along < _NEUTRAL) & (strength > _DARK)
    )
    ink = ((strength > _DENSE) & (off_line | blue_or_black)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink)
    large = [
        number
        for number in range(1, count)
        if stats[number, cv2.CC_STAT_AREA] >= _LEAST_SHARE * ink.size
    ]
    mask = np.isin(labels, large).astype(np.uint8)
    rim = max(3, round(0.04 * ink.shape[0]) | 1)
    return np.asarray(cv2.dilate(mask, np.ones((rim, rim), np.uint8)), bool)


def is_of_many_colours(density: FloatArray, mask: npt.NDArray[np.bool_]) -> bool:
    """Whether both red and black lie in a mask of `ink_mask`, as no single pen leaves them."""
    floor = opened(density, _WIDTH)
    strength = floor.sum(axis=2)
    along, across = line_coordinates(floor, np.maximum(strength, np.float32(1e-3)))
    core = mask & (strength > _DENSE)
    red = core & (across > _PINKER)
    black = core & ~red & (across > _GREENER) & (along > _BLUER) & (along < _NEUTRAL)
    black &= strength > _DARK
    least = max(1, int(core.sum()))
    return bool(red.sum() >= _RED_BESIDE_BLACK * least and black.sum() >= _BLACK_BESIDE_RED * least)


def opened(density: FloatArray, width: float) -> FloatArray:
    """Each channel's floor: what is left where a disc of that width finds no gap.

    Args:
        density: float32 (s, s, n).
        width: of the disc, as a part of the side.
    """
    size = max(3, round(width * density.shape[0]) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    calm = cv2.GaussianBlur(density, (0, 0), 0.7)
    return np.asarray(cv2.morphologyEx(calm, cv2.MORPH_OPEN, disc), np.float32)
