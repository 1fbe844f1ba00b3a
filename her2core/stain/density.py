"""How much DAB a patch holds and how dense it is, without any network and without any cell.

Colour deconvolution after Ruifrok & Johnston (Anal Quant Cytol Histol 2001;23:291). It says what
is brown, not what is membrane: a plausibility check, not a HER2 score.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.common.optics import optical_density
from her2core.stain.vectors import FITTED, StainVectors, glass_of

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


def separate(
    rgb: npt.NDArray[np.uint8],
    vectors: StainVectors = FITTED,
    glass: npt.NDArray[np.float32] | None = None,
) -> tuple[FloatImage, FloatImage]:
    """Unmix haematoxylin and DAB.

    Args:
        rgb: uint8 (H, W, 3).
        vectors: colours of the two stains.
        glass: colour (3,) of unstained glass; None: taken from the image itself.

    Returns:
        Two float32 (H, W) maps of optical density, >= 0: haematoxylin and DAB.
    """
    amounts = (
        optical_density(rgb, glass_of(rgb) if glass is None else glass) @ vectors.unmixing()[:, :2]
    )
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
