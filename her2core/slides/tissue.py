"""Where the tissue lies on a slide, found at low power: without background, pen and slide edges.

Tissue absorbs light or is textured; glass does neither. Unstained stroma is hardly darker than
glass, so that texture alone finds it. What is darker and flatter than any stained tissue, or of a
colour that no mixture of the two stains has, is pen (`preprocessing.quality.pen_marks`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.optics import optical_density
from her2core.preprocessing.glass import Colour, find_glass
from her2core.preprocessing.quality.pen_marks import ink_mask
from her2core.preprocessing.quality.tissue import TISSUE_DENSITY, TISSUE_TEXTURE

Mask = npt.NDArray[np.bool_]

_CLOSED_UM, _LEAST_AREA_UM2 = 30.0, 20_000.0
# bare tissue seen by its texture: scratches and dust on the glass are narrower
_OPENED_UM = 25.0
# pen marks are looked for in parts of this side
_PEN_SIDE_UM = 1600.0
_PEN_PIXELS = 112
_MOST_INK, _PEN_RIM_UM = 0.3, 60.0
# darker in every channel is the scanner's border or cover slip's edge, not tissue
_BLACK = 25


@dataclass(frozen=True, eq=False)
class Tissue:
    """What lies where on a slide.

    Attributes:
        mask: bool (h, w), tissue of the overview.
        pen: bool (h, w), ink.
        glass: colour of unstained glass, None where there is none.
        um_per_pixel: of the overview.
    """

    mask: Mask
    pen: Mask
    glass: Colour | None
    um_per_pixel: float

    @property
    def area_mm2(self) -> float:
        """Area of the tissue."""
        return float(self.mask.sum()) * self.um_per_pixel**2 / 1e6


def find_tissue(overview: npt.NDArray[np.uint8], um_per_pixel: float) -> Tissue:
    """Find the tissue in an overview, uint8 (h, w, 3), of 2 to 40 µm a pixel."""
    glass = find_glass(overview)
    light = np.array(glass or (240.0, 240.0, 240.0), np.float32)
    density = np.maximum(optical_density(overview, light), 0)
    pen = _pen(density, um_per_pixel)
    grey = cv2.cvtColor(overview, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = _odd(_OPENED_UM / um_per_pixel)
    mean = cv2.blur(grey, (size, size))
    texture = np.sqrt(np.maximum(cv2.blur(grey * grey, (size, size)) - mean * mean, 0))
    found = (cv2.blur(density.sum(axis=2), (3, 3)) > TISSUE_DENSITY) | (texture > TISSUE_TEXTURE)
    found &= ~pen & (overview.max(axis=2) > _BLACK)
    mask = _cleaned(found, um_per_pixel)
    return Tissue(mask & ~pen, pen, glass, um_per_pixel)


def _cleaned(found: Mask, um_per_pixel: float) -> Mask:
    """Without specks, and with the lumens and gaps of tissue filled."""
    mask = found.astype(np.uint8)
    for how, um in ((cv2.MORPH_OPEN, _OPENED_UM), (cv2.MORPH_CLOSE, _CLOSED_UM)):
        size = _odd(um / um_per_pixel)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        mask = cv2.morphologyEx(mask, how, disc)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    least = _LEAST_AREA_UM2 / um_per_pixel**2
    large = np.zeros(count, bool)
    large[1:] = stats[1:, cv2.CC_STAT_AREA] >= least
    return np.asarray(large[labels])


def _pen(density: npt.NDArray[np.float32], um_per_pixel: float) -> Mask:
    """Ink, looked for part by part as in a field of `_PEN_SIDE_UM`."""
    pen = np.zeros(density.shape[:2], bool)
    side = max(_PEN_PIXELS // 2, round(_PEN_SIDE_UM / um_per_pixel))
    for y in range(0, density.shape[0], side):
        for x in range(0, density.shape[1], side):
            part = density[y : y + side, x : x + side]
            small = cv2.resize(part, (_PEN_PIXELS, _PEN_PIXELS), interpolation=cv2.INTER_AREA)
            ink = ink_mask(small).astype(np.uint8)
            if ink.any():
                size = (part.shape[1], part.shape[0])
                way = cv2.INTER_NEAREST
                pen[y : y + side, x : x + side] = cv2.resize(ink, size, interpolation=way) > 0
    stained = density.sum(axis=2) > TISSUE_DENSITY
    # ink over a third of all that absorbs is a stain that is not HER2's
    if not pen.any() or pen.sum() > _MOST_INK * (stained | pen).sum():
        return np.zeros_like(pen)
    rim = np.ones((_odd(2 * _PEN_RIM_UM / um_per_pixel),) * 2, np.uint8)
    return np.asarray(cv2.dilate(pen.astype(np.uint8), rim) > 0)


def _odd(pixels: float) -> int:
    return max(3, round(pixels) | 1)
