"""How much DAB a patch holds and how dense it is, without any network and without any cell.

Colour deconvolution after Ruifrok & Johnston (Anal Quant Cytol Histol 2001;23:291), with the fixed
colours of the stains. Colours estimated from each image (Macenko et al., ISBI 2009, 1107) did no
better in the benchmark, and shift what the density thresholds mean. It says what is brown, not what
is membrane: a plausibility check, not a HER2 score.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.common.optics import DAB, HAEMATOXYLIN, optical_density

FAINT_DENSITY = 0.08
MODERATE_DENSITY = 0.25
INTENSE_DENSITY = 0.60
TISSUE_DENSITY = 0.06

FloatImage = npt.NDArray[np.float32]

_REST = np.cross(HAEMATOXYLIN, DAB)
# rows of R, G, B for haematoxylin, DAB and what neither explains, float64 (3, 3); and the matrix
# from optical density to amounts of these three, float32 (3, 3)
MIXING = np.stack([HAEMATOXYLIN, DAB, _REST / np.linalg.norm(_REST)])
UNMIXING = np.linalg.inv(MIXING).astype(np.float32)


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


def glass_of(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Colour (3,) of the unstained glass: the brightest percent of the image, 160 at least."""
    every = max(1, int(np.sqrt(rgb.shape[0] * rgb.shape[1] / 200_000)))
    sample = rgb[::every, ::every].reshape(-1, 3)
    return np.maximum(np.percentile(sample, 99, axis=0), 160).astype(np.float32)


def separate(
    rgb: npt.NDArray[np.uint8], glass: npt.NDArray[np.float32] | None = None
) -> tuple[FloatImage, FloatImage]:
    """Unmix haematoxylin and DAB.

    Args:
        rgb: uint8 (H, W, 3).
        glass: colour (3,) of unstained glass; None: taken from the image itself.

    Returns:
        Two float32 (H, W) maps of optical density, >= 0: haematoxylin and DAB.
    """
    density = optical_density(rgb, glass_of(rgb) if glass is None else glass)
    amounts = np.maximum(density @ UNMIXING[:, :2], 0)
    return amounts[..., 0], amounts[..., 1]


def foreign_share(rgb: npt.NDArray[np.uint8]) -> float:
    """Share in [0, 1] of an image's absorption that neither stain explains; 0 without any.

    Real and synthetic HER2 patches stay below 0.05, pure noise reaches 0.16.
    """
    amounts = np.abs(optical_density(rgb, glass_of(rgb)) @ UNMIXING)
    total = float(amounts.sum())
    return float(amounts[..., 2].sum()) / total if total > 0 else 0.0


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
