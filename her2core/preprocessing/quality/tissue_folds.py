"""Tissue folds: a band in which several layers of tissue lie over each other.

Layers add their optical density, so a fold is darker than both its sides in the counterstain as
well as in all. A strand of stained tumour is darker in brown only, and a row of nuclei has gaps.
The band is looked for like a ridge: in several directions and widths, the mean of the opened
density's logarithm in a long window against the means in the windows at both sides. The smallest
of the four differences counts, so that edges and single dark spots do not. Whatever is paler than
most of the tissue counts as tissue of that density, so that a strand between lumens is no fold.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from her2core.preprocessing.quality.mixture_line import stain_amounts
from her2core.preprocessing.quality.pen_marks import opened
from her2core.preprocessing.quality.tissue import TISSUE_DENSITY

FloatArray = npt.NDArray[np.float32]

# More pixels find no more.
_PIXELS = 64
_OPENING = 0.055
# Density of empty glass, below which differences mean nothing.
_NOISE = np.float32(0.03)
_LEAST_TISSUE = 0.05
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
    tissue = both[..., 1] > TISSUE_DENSITY
    if tissue.mean() < _LEAST_TISSUE:
        return 0.0
    floor = opened(both, _OPENING)
    depth = np.log(np.maximum(floor, np.percentile(floor[tissue], _TYPICAL, axis=0)) + _NOISE)
    best = max(float(response.max()) for response in _responses(depth))
    return max(0.0, best)


class _Window(NamedTuple):
    """A window of one size round each place of a turned picture.

    Attributes:
        size: width and height in pixels.
        scale: what makes its sum a mean over what lies in the picture, for both planes, float32
            (s, s, 2).
        inside: how much of it lies in the picture, float32 (s, s) in [0, 1].
    """

    size: tuple[int, int]
    scale: FloatArray
    inside: FloatArray


class _Direction(NamedTuple):
    """What one direction needs whatever the picture shows.

    Attributes:
        turn: turns a picture so that bands of this direction lie level.
        beside: the window at either side of a band.
        bands: for each width the band's window, how far the sides lie from its middle, and where
            all three are seen, bool (s - 2 * step, s).
    """

    turn: npt.NDArray[np.float64]
    beside: _Window
    bands: tuple[tuple[_Window, int, npt.NDArray[np.bool_]], ...]


def _responses(depth: FloatArray) -> Iterator[FloatArray]:
    """For each direction and width: how much the band at each place stands out of both sides."""
    side = depth.shape[0]
    for direction in _directions(side):
        # What lies outside is 0 and weighs 0.
        turned = cv2.warpAffine(depth, direction.turn, (side, side))
        beside = _mean(turned, direction.beside)
        for window, step, known in direction.bands:
            stands_out = _mean(turned, window)[step : side - step] - np.maximum(
                beside[: side - 2 * step], beside[2 * step :]
            )
            yield np.where(known, cv2.min(*cv2.split(stands_out)), np.float32(0))


def _mean(planes: FloatArray, window: _Window) -> FloatArray:
    return _sum(planes, window.size) * window.scale


def _sum(picture: FloatArray, size: tuple[int, int]) -> FloatArray:
    total = cv2.boxFilter(picture, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total, np.float32)


@cache
def _directions(side: int) -> tuple[_Direction, ...]:
    """The directions in which a picture of that side is looked at."""
    whole = np.ones((side, side), np.float32)
    length = max(3, round(_LENGTH * side))
    found = []
    for number in range(_DIRECTIONS):
        centre = ((side - 1) / 2, (side - 1) / 2)
        turn = cv2.getRotationMatrix2D(centre, 180 * number / _DIRECTIONS, 1)
        inside = np.asarray(cv2.warpAffine(whole, turn, (side, side)), np.float32)
        beside = _window(inside, length, _SIDE)
        bands = []
        for width in _WIDTHS:
            band = _window(inside, length, width)
            step = round((width / 2 + _SIDE / 2 + _GAP) * side)
            sides_seen = np.minimum(beside.inside[: side - 2 * step], beside.inside[2 * step :])
            known = (band.inside[step : side - step] > _BAND_INSIDE) & (sides_seen > _SIDE_INSIDE)
            bands.append((band, step, known))
        found.append(_Direction(np.asarray(turn, np.float64), beside, tuple(bands)))
    return tuple(found)


def _window(inside: FloatArray, length: int, width: float) -> _Window:
    size = (length, max(1, round(width * inside.shape[0])))
    weight = _sum(inside, size)
    scale = np.asarray(1 / np.maximum(weight, 1e-3), np.float32)
    return _Window(size, np.dstack([scale, scale]), weight / np.float32(size[0] * size[1]))
