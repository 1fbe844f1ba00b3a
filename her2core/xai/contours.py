"""A heat map as contour lines: where it is high, without a colour over the tissue inside.

Lines are drawn on a dark edge, so that they show on brown, on blue and on glass, and differ in
thickness as well as in colour.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.palette import CONTOUR, CONTOUR_AGAINST, CONTOUR_FOR, EDGE
from her2core.xai.explanation import Explanation
from her2core.xai.methods import METHODS

Pixels = npt.NDArray[np.uint8]

# Shares of the map's maximum: the thin line and the thick one.
LEVELS = (0.4, 0.75)
# Of maps of single pixels: a line around each would be a scribble.
_SMOOTHING = 6.0
# Of the 224: what is smaller is noise of the map, not a region.
_LEAST_AREA = 40.0


def draw_contours(rgb: Pixels, explanation: Explanation) -> Pixels:
    """Draw the lines over the field the map belongs to.

    Args:
        rgb: uint8 (H, W, 3), the square the model saw, at any resolution.
        explanation: its heat map. Signed maps get red lines for and blue lines against.

    Returns:
        uint8 (H, W, 3), a new array; an empty map leaves the image as it is.
    """
    height, width = rgb.shape[:2]
    drawn = np.ascontiguousarray(rgb).copy()
    thin = max(1, round(min(height, width) / 220))
    edge = 2 * max(1, round(thin / 2))
    heat = _smooth(explanation)
    sides = (
        [(heat, CONTOUR_FOR), (-heat, CONTOUR_AGAINST)] if explanation.signed else [(heat, CONTOUR)]
    )
    for side, colour in sides:
        for level, thickness in zip(LEVELS, (thin, 2 * thin), strict=True):
            lines = _lines(side, level, width, height)
            cv2.polylines(drawn, lines, True, EDGE, thickness + edge, cv2.LINE_AA)
            cv2.polylines(drawn, lines, True, colour, thickness, cv2.LINE_AA)
    return drawn


def _smooth(explanation: Explanation) -> npt.NDArray[np.float32]:
    """The heat; that of single pixels evened out, and scaled anew to keep the levels' meaning."""
    if not METHODS[explanation.method].pixelwise:
        return explanation.heat
    smooth = cv2.GaussianBlur(explanation.heat, (0, 0), _SMOOTHING)
    highest = float(np.abs(smooth).max())
    return np.asarray(smooth / highest if highest > 0 else smooth, dtype=np.float32)


def _lines(
    heat: npt.NDArray[np.float32], level: float, width: int, height: int
) -> list[npt.NDArray[np.int32]]:
    """Closed outlines of where the heat reaches the level, in pixels of the picture."""
    side = heat.shape[0]
    inside = (heat >= level).astype(np.uint8)
    outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    scale = np.array([width / side, height / side])
    return [
        np.rint((outline + 0.5) * scale).astype(np.int32)
        for outline in outlines
        if cv2.contourArea(outline) >= _LEAST_AREA
    ]
