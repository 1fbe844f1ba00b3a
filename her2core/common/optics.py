"""Light through stained tissue: optical density, and the colours of the stains.

A stain's colour is the optical density that one unit of it adds in R, G and B. All mixtures of two
stains lie between theirs (Ruifrok & Johnston, Anal Quant Cytol Histol 2001;23:291).
"""

import cv2
import numpy as np
import numpy.typing as npt

Vector = tuple[float, float, float]

# Fitted to real HER2 slides, unit length: what the stain measurement and the networks' warnings
# rest on, and what synthetic tissue is painted with.
HAEMATOXYLIN: Vector = (0.674, 0.630, 0.385)
DAB: Vector = (0.390, 0.570, 0.723)
# As published. The limits of the quality checks were measured on real and unusual pictures with
# these; with the fitted ones every limit would have to be measured anew.
PUBLISHED_HAEMATOXYLIN: Vector = (0.65, 0.70, 0.29)
PUBLISHED_DAB: Vector = (0.27, 0.57, 0.78)
# Of other stainings, published as well (AEC as in ImageJ's tables).
EOSIN: Vector = (0.072, 0.990, 0.105)
AEC: Vector = (0.274, 0.680, 0.680)
FAST_RED: Vector = (0.214, 0.851, 0.478)


def optical_density(
    rgb: npt.NDArray[np.uint8], glass: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Optical density (H, W, 3) to base 10 against `glass` (3,); negative where brighter."""
    # 256 grey levels have 256 logarithms
    levels = np.log10(np.maximum(np.arange(256, dtype=np.float32), 1))
    table = np.log10(np.asarray(glass, np.float32)) - levels[:, None]
    return np.asarray(cv2.LUT(np.ascontiguousarray(rgb), table[None]), np.float32)


def density_of_light(light: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Optical density to base 10 of light in [0, 1], which is 1 where nothing absorbs."""
    return np.asarray(-np.log10(np.maximum(light, np.float32(1 / 255))))
