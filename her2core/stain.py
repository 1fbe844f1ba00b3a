"""Stain measurement without any network: how much DAB a patch holds, and how dense it is.

Colour deconvolution after Ruifrok & Johnston (Anal Quant Cytol Histol 2001;23:291), with the stain
vectors of haematoxylin and DAB fitted to real HER2 slides and the glass colour estimated per image.
It says what is brown, not what is membrane: a plausibility check, not a HER2 score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# optical density per unit of stain in R, G, B (unit length)
HAEMATOXYLIN = (0.674, 0.630, 0.385)
DAB = (0.390, 0.570, 0.723)

FAINT_DENSITY = 0.08
MODERATE_DENSITY = 0.25
INTENSE_DENSITY = 0.60
TISSUE_DENSITY = 0.06

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StainReport:
    """Shares of a patch in [0, 1].

    Attributes:
        tissue: share of the patch that absorbs light.
        faint, moderate, intense: share of the tissue with a DAB optical density of at least 0.08,
            0.25 and 0.60.
    """

    tissue: float
    faint: float
    moderate: float
    intense: float


def separate(rgb: npt.NDArray[np.uint8]) -> tuple[FloatImage, FloatImage]:
    """Unmix haematoxylin and DAB.

    Args:
        rgb: uint8 (H, W, 3).

    Returns:
        Two float32 (H, W) maps of optical density, >= 0: haematoxylin and DAB.
    """
    glass = np.maximum(np.percentile(rgb.reshape(-1, 3), 99, axis=0), 160)
    density = -np.log10(np.clip(rgb.astype(np.float32), 1, None) / glass.astype(np.float32))
    residual = np.cross(HAEMATOXYLIN, DAB)
    matrix = np.stack([HAEMATOXYLIN, DAB, residual / np.linalg.norm(residual)])
    amounts = density @ np.linalg.inv(matrix).astype(np.float32)
    amounts = np.maximum(amounts, 0)
    return amounts[..., 0], amounts[..., 1]


def measure(rgb: npt.NDArray[np.uint8]) -> StainReport:
    """Measure a patch, uint8 (H, W, 3). Without tissue all shares are 0."""
    haematoxylin, dab = separate(rgb)
    tissue = haematoxylin + dab > TISSUE_DENSITY
    area = int(tissue.sum())

    def share(least: float) -> float:
        return float((dab[tissue] >= least).sum() / area) if area else 0.0

    return StainReport(
        tissue=area / tissue.size,
        faint=share(FAINT_DENSITY),
        moderate=share(MODERATE_DENSITY),
        intense=share(INTENSE_DENSITY),
    )
