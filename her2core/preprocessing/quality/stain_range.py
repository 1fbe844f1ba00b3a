"""Whether each of the two stains is as dense as the models and a reader need it.

Limits lie well outside what 201 real HER2 patches of 14 cores showed: the densest 2 % of their
pixels had 0.10 to 0.34 of haematoxylin, the densest 10 % of them 0.02 to 0.63 of DAB; 3+ of another
scanner has up to 1.5. A laboratory that stains twice as strongly is no reason to warn.
"""

import numpy as np
import numpy.typing as npt

from her2core.preprocessing.quality.findings import (
    DENSE_COUNTERSTAIN,
    DENSE_DAB,
    PALE_COUNTERSTAIN,
    Finding,
)
from her2core.preprocessing.quality.mixture_line import stain_amounts

# optical densities of haematoxylin that 2 % of the pixels exceed, and of DAB that 10 % do
_PALE_COUNTERSTAIN, _DENSE_COUNTERSTAIN = 0.05, 0.9
# less than a sixteenth of the blue light comes through, where cameras tell few steps
_DENSE_DAB = 1.6


def stain_out_of_range(density: npt.NDArray[np.float32]) -> Finding | None:
    """Which stain is too dense or too pale; of optical density per channel, float32 (..., 3)."""
    haematoxylin, dab = stain_amounts(density).reshape(-1, 2).T
    counterstain = np.percentile(haematoxylin, 98)
    if np.percentile(dab, 90) > _DENSE_DAB:
        return DENSE_DAB
    if counterstain > _DENSE_COUNTERSTAIN:
        return DENSE_COUNTERSTAIN
    return PALE_COUNTERSTAIN if counterstain < _PALE_COUNTERSTAIN else None
