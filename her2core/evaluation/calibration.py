"""Are the probabilities what they claim to be? Calibration error.

Expected calibration error as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

import numpy as np
import numpy.typing as npt

CALIBRATION_BINS = 15

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def bin_numbers(confidence: Floats) -> Labels:
    """Which of the equal-width bins of [0, 1] each confidence (n,) lies in, from 0."""
    return np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
