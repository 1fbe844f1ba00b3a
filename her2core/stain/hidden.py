"""Cells whose nucleus cannot be seen, from the ring of stained membrane round them.

Dense chromogen hides the counterstain: of a strongly stained tumour the nuclei are the least
visible, and counting only cells with a nucleus counts too few stained ones. Where clear brown
lines enclose tissue of the size of a cell, in which no nucleus was found, there is a cell all the
same. Its middle is where the distance to the lines is greatest (the seeds of a watershed of the
distance transform; Vincent & Soille, IEEE PAMI 1991;13:583).
"""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from her2core.stain.density import TISSUE_DENSITY, FloatImage
from her2core.stain.nuclei import WORKING_UM, Nuclei, disc, measured

# the inside of a cell is this far from its membrane at its middle
_LEAST_RADIUS_UM, _MOST_RADIUS_UM = 2.2, 9.0
_SMOOTH_UM = 1.0
_APART_UM = 3.0
# so much of the way from the middle to the membrane stands in for the nucleus
_CORE = 0.6


def hidden_nuclei(
    haematoxylin: FloatImage,
    dab: FloatImage,
    walls: npt.NDArray[np.bool_],
    known: npt.NDArray[np.int32],
    outlines: FloatImage,
) -> Nuclei:
    """Middles of rings without a nucleus, as if they were nuclei.

    Args:
        haematoxylin, dab: float32 (H, W) optical densities at `WORKING_UM` per pixel.
        walls: boolean (H, W), clear brown lines.
        known: int32 (H, W), labels of the nuclei that were found.
        outlines: float32 (m, 32, 2), the rims round these; no hidden nucleus lies in any.

    Returns:
        n nuclei; in their labels the known ones have the numbers from n + 1.
    """
    taken = np.zeros(dab.shape, np.uint8)
    for outline in np.round(outlines).astype(np.int32):
        cv2.fillPoly(taken, [outline], 1)
    cores = measured(_cores(haematoxylin + dab, walls, taken > 0), haematoxylin, dab)
    both = np.where(cores.labels > 0, cores.labels, np.where(known > 0, known + len(cores), 0))
    return replace(cores, labels=both.astype(np.int32))


def _cores(
    density: FloatImage, walls: npt.NDArray[np.bool_], taken: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int32]:
    """Labels (H, W) of discs in the middles of what lies between walls and is not taken."""
    away = cv2.distanceTransform((~walls).astype(np.uint8), cv2.DIST_L2, 5) * np.float32(WORKING_UM)
    smooth = cv2.GaussianBlur(away, (0, 0), _SMOOTH_UM / WORKING_UM)
    peak = (smooth >= cv2.dilate(smooth, disc(_APART_UM))) & ~taken
    peak &= (away >= _LEAST_RADIUS_UM) & (away <= _MOST_RADIUS_UM)
    # lumens and clefts are enclosed as well
    peak &= cv2.blur(density, (5, 5)) >= TISSUE_DENSITY
    labels = np.zeros(density.shape, np.int32)
    _, _, _, middles = cv2.connectedComponentsWithStats(peak.astype(np.uint8))
    for number, (x, y) in enumerate(middles[1:], start=1):
        at = (round(float(x)), round(float(y)))
        radius = max(1, round(_CORE * float(away[at[1], at[0]]) / WORKING_UM))
        cv2.circle(labels, at, radius, number, -1)
    labels[taken] = 0
    return labels
