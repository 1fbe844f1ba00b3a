"""Are the probabilities what they claim to be? Calibration error.

Expected calibration error as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CALIBRATION_BINS = 15

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def bin_numbers(confidence: Floats, bins: int = CALIBRATION_BINS) -> Labels:
    """Which of the equal-width bins of [0, 1] each confidence (n,) lies in, from 0."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def expected_calibration_error(
    probabilities: Floats, labels: Labels, bins: int = CALIBRATION_BINS
) -> float:
    """Mean gap, in [0, 1], between confidence and accuracy over equal-width confidence bins."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    which = bin_numbers(confidence, bins)
    gaps = [
        abs(confidence[which == b].mean() - correct[which == b].mean()) * (which == b).mean()
        for b in range(bins)
        if (which == b).any()
    ]
    return float(np.sum(gaps))
