"""Whether the brown lies on nuclei, as a nuclear marker (ER, PR, Ki-67) shows, and on no membrane.

Dense blobs of nuclear size are looked for in both stains together: brown that is all inside them,
with hardly any in a ring around them, is nuclear. Limits were set on nuclear stains that
her2core.training.data.restained makes (inside over ring 6 to 8) and on real HER2 (2 as a rule).
"""

import cv2
import numpy as np
import numpy.typing as npt

from her2core.stain.density import separate
from her2core.stain.nuclei import WORKING_UM, disc, find_nuclei

_SIDE = 384
_BROWN_DENSITY, _LEAST_BROWN, _LEAST_NUCLEI = 0.15, 0.03, 15
_RING_UM = 1.6
_INSIDE_OVER_RING, _SHARE_INSIDE = 4.0, 0.8
_LITTLE = 0.01


def brown_lies_on_nuclei(rgb: npt.NDArray[np.uint8]) -> bool:
    """Looks at the middle of a picture, uint8 (H, W, 3); False where too little is brown."""
    y, x = (max(0, (length - _SIDE) // 2) for length in rgb.shape[:2])
    blue, brown = separate(np.ascontiguousarray(rgb[y : y + _SIDE, x : x + _SIDE]))
    brown = np.maximum(brown, 0)
    dab = cv2.GaussianBlur(brown, (0, 0), 0.4 / WORKING_UM)
    seen = dab > _BROWN_DENSITY
    if seen.mean() < _LEAST_BROWN:
        return False
    nuclei = find_nuclei(np.maximum(blue, 0) + brown, brown, np.zeros_like(brown))
    if len(nuclei) < _LEAST_NUCLEI:
        return False
    inside = nuclei.labels > 0
    ring = np.asarray(cv2.dilate(inside.astype(np.uint8), disc(_RING_UM)), bool) & ~inside
    if not ring.any():
        return False
    ratio = dab[inside].mean() / (dab[ring].mean() + _LITTLE)
    return bool(ratio > _INSIDE_OVER_RING and (seen & inside).sum() > _SHARE_INSIDE * seen.sum())
