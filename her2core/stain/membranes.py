"""Membranes: brown that is a thin line. Diffuse and granular brown is none.

A line filter in twelve directions (the second derivative of a Gaussian across, a Gaussian of
several micrometres along; Freeman & Adelson, IEEE PAMI 1991;13:891 for oriented filters) answers
to what is thin across and goes on along. Cytoplasm is neither, a granule does not go on. What is
grey rather than brown (rims of red cells, folds, nuclear borders) gives a line in haematoxylin at
the same place and is taken off.
"""

from functools import lru_cache

import cv2
import numpy as np

from her2core.stain.density import FloatImage
from her2core.stain.nuclei import WORKING_UM

_DIRECTIONS = 12
_ACROSS_UM = 0.62
_ALONG_UM = 1.0
# a line goes on: it must be there this far ahead and this far behind as well
_GOES_ON_UM = 1.0
# what neutral grey leaves in the DAB map, per unit that it leaves in the haematoxylin map
_GREY = 0.6


def membrane_lines(haematoxylin: FloatImage, dab: FloatImage) -> FloatImage:
    """How far a brown line stands out of its surroundings, at each pixel.

    Args:
        haematoxylin, dab: float32 (H, W) optical densities at `WORKING_UM` per pixel.

    Returns:
        float32 (H, W), >= 0, in units of DAB optical density: about the height of a line about
        1 µm wide above what lies beside it. 0 where nothing brown is linear.
    """
    height, width = dab.shape
    best = np.zeros((height, width), np.float32)
    for kernel, (dx, dy) in _kernels():
        brown = cv2.filter2D(dab, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
        blue = cv2.filter2D(haematoxylin, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
        alone = brown - _GREY * np.maximum(blue, 0)
        x, y = abs(dx), abs(dy)
        padded = cv2.copyMakeBorder(alone, y, y, x, x, cv2.BORDER_REPLICATE)
        ahead = padded[y + dy : y + dy + height, x + dx : x + dx + width]
        behind = padded[y - dy : y - dy + height, x - dx : x - dx + width]
        np.maximum(best, np.minimum(ahead, behind), out=best)
    return best


@lru_cache(maxsize=1)
def _kernels() -> tuple[tuple[FloatImage, tuple[int, int]], ...]:
    """Zero-sum kernels, each with the pixels (x, y) by which its line goes on.

    They are scaled so that a 1 µm wide line of height 1 gives 1 in its direction.
    """
    across, along = _ACROSS_UM / WORKING_UM, _ALONG_UM / WORKING_UM
    reach = int(np.ceil(2.5 * along))
    yy, xx = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    kernels = []
    for angle in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        u = xx * np.cos(angle) + yy * np.sin(angle)
        v = -xx * np.sin(angle) + yy * np.cos(angle)
        profile = (1 - v**2 / across**2) * np.exp(-(v**2) / (2 * across**2))
        kernel = profile * np.exp(-(u**2) / (2 * along**2))
        positive, negative = kernel > 0, kernel < 0
        kernel[negative] *= kernel[positive].sum() / -kernel[negative].sum()
        width = 1.0 / WORKING_UM
        line = np.exp(-4 * np.log(2) * v**2 / width**2)
        on = _GOES_ON_UM / WORKING_UM * np.array([np.cos(angle), np.sin(angle)])
        step = (int(np.rint(on[0])), int(np.rint(on[1])))
        kernels.append(((kernel / (kernel * line).sum()).astype(np.float32), step))
    return tuple(kernels)
