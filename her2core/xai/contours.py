"""A heat map as contour lines: where it is high, without a colour over the tissue inside.

Lines are drawn on a dark edge, so that they show on brown, on blue and on glass, and differ in
thickness as well as in colour.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.palette import CONTOUR, CONTOUR_AGAINST, CONTOUR_FOR
from her2core.common.svg import Lines, outlines_svg
from her2core.preprocessing.patches import MODEL_SIDE
from her2core.xai.explanation import Explanation
from her2core.xai.methods import METHODS

# Shares of the map's maximum: the thin line and the thick one.
LEVELS = (0.4, 0.75)
# Of maps of single pixels: a line around each would be a scribble.
_SMOOTHING = 6.0
# Of the 224: what is smaller is noise of the map, not a region.
_LEAST_AREA = 40.0
# Lines are traced on a map so much larger, so that they are smooth when one zooms in.
_FINER = 4


def contours_svg(explanation: Explanation) -> str:
    """An SVG of 224 x 224 with the lines; those of signed maps are red for and blue against."""
    heat = _smooth(explanation)
    sides = (
        [(heat, CONTOUR_FOR), (-heat, CONTOUR_AGAINST)] if explanation.signed else [(heat, CONTOUR)]
    )
    lines = [
        Lines(_outlines(side, level), colour, width)
        for side, colour in sides
        for level, width in zip(LEVELS, (1.5, 3), strict=True)
    ]
    return outlines_svg(MODEL_SIDE, MODEL_SIDE, lines)


def _smooth(explanation: Explanation) -> npt.NDArray[np.float32]:
    """The heat; that of single pixels evened out, and scaled anew to keep the levels' meaning."""
    if not METHODS[explanation.method].pixelwise:
        return explanation.heat
    smooth = cv2.GaussianBlur(explanation.heat, (0, 0), _SMOOTHING)
    highest = float(np.abs(smooth).max())
    return np.asarray(smooth / highest if highest > 0 else smooth, dtype=np.float32)


def _outlines(heat: npt.NDArray[np.float32], level: float) -> list[npt.NDArray[np.float32]]:
    """Closed outlines (n, 2) of where the heat reaches the level, in the map's own pixels."""
    size = (_FINER * MODEL_SIDE, _FINER * MODEL_SIDE)
    inside = (cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR) >= level).astype(np.uint8)
    found, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return [
        (cv2.approxPolyDP(outline, 1.0, True)[:, 0].astype(np.float32) + 0.5) / _FINER
        for outline in found
        if cv2.contourArea(outline) >= _LEAST_AREA * _FINER**2
    ]
