"""Tissue folds: a band in which several layers of tissue lie over each other.

Layers add their optical density, so a fold is darker than both its sides in the counterstain as
well as in all. A strand of stained tumour is darker in brown only, and a row of nuclei has gaps.
The band is looked for like a ridge: in several directions and widths, the mean of the opened
density's logarithm in a long window against the means in the windows at both sides. The smallest
of the four differences counts, so that edges and single dark spots do not. Whatever is paler than
most of the tissue counts as tissue of that density, so that a strand between lumens is no fold.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from her2core.mixture_line import stain_amounts
from her2core.pen_marks import opened

FloatArray = npt.NDArray[np.float32]

# More pixels find no more.
_PIXELS = 64
_OPENING = 0.055
# Density of empty glass, below which differences mean nothing.
_NOISE = np.float32(0.03)
_TISSUE, _LEAST_TISSUE = 0.12, 0.05
_TYPICAL = 20
_DIRECTIONS = 12
# As parts of the picture's side: length of the window, widths of the band, width at either side.
_LENGTH, _WIDTHS, _SIDE, _GAP = 0.6, (0.08, 0.14, 0.22), 0.10, 0.01
# How much of each window must lie inside the picture.
_BAND_INSIDE, _SIDE_INSIDE = 0.9, 0.5


def fold_contrast(density: FloatArray) -> float:
    """How much darker than both its sides the most fold-like band is, in natural logarithms.

    Args:
        density: optical density per channel, float32 (s, s, 3); looked at in 64 x 64 pixels.

    Returns:
        0.7 is a doubled density; nearly all patches without a fold have less than 0.35. Never
        below 0.
    """
    if density.shape[0] > _PIXELS:
        density = cv2.resize(density, (_PIXELS, _PIXELS), interpolation=cv2.INTER_AREA)
    both = np.dstack([stain_amounts(density)[..., 0], density.sum(axis=2)])
    tissue = both[..., 1] > _TISSUE
    if tissue.mean() < _LEAST_TISSUE:
        return 0.0
    floor = opened(both, _OPENING)
    depth = np.log(np.maximum(floor, np.percentile(floor[tissue], _TYPICAL, axis=0)) + _NOISE)
    best = max(float(response.max()) for response in _responses(depth))
    return max(0.0, best)


def _responses(depth: FloatArray) -> Iterator[FloatArray]:
    """For each direction and width: how much the band at each place stands out of both sides."""
    side = depth.shape[0]
    whole = np.ones((side, side), np.float32)
    length = max(3, round(_LENGTH * side))
    for direction in range(_DIRECTIONS):
        centre = ((side - 1) / 2, (side - 1) / 2)
        turn = cv2.getRotationMatrix2D(centre, 180 * direction / _DIRECTIONS, 1)
        inside = cv2.warpAffine(whole, turn, (side, side))
        # What lies outside is 0 and weighs 0.
        turned = cv2.warpAffine(depth, turn, (side, side))
        beside, seen = _window(turned, inside, length, _SIDE)
        for width in _WIDTHS:
            band, band_seen = _window(turned, inside, length, width)
            step = round((width / 2 + _SIDE / 2 + _GAP) * side)
            rows = slice(step, side - step)
            above, below = slice(0, side - 2 * step), slice(2 * step, side)
            darker = np.minimum(band[rows] - beside[above], band[rows] - beside[below]).min(axis=2)
            known = (
                (band_seen[rows] > _BAND_INSIDE)
                & (seen[above] > _SIDE_INSIDE)
                & (seen[below] > _SIDE_INSIDE)
            )
            yield np.where(known, darker, np.float32(0))


def _window(
    depth: FloatArray, inside: FloatArray, length: int, width: float
) -> tuple[FloatArray, FloatArray]:
    """Mean of a window of that size round each place, and how much of it lies in the picture."""
    size = (length, max(1, round(width * depth.shape[0])))
    total, weight = (
        cv2.boxFilter(each, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
        for each in (depth, inside)
    )
    mean = total / np.maximum(weight, np.float32(1e-3))[..., None]
    return mean, weight / np.float32(size[0] * size[1])
