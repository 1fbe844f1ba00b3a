"""The expected calibration error as it is defined, to hold the product's figures against."""

from __future__ import annotations

import numpy as np

from her2core.evaluation.calibration import CALIBRATION_BINS, Floats, Labels, bin_numbers


def expected_calibration_error(probabilities: Floats, labels: Labels) -> float:
    """Mean gap, in [0, 1], between confidence and accuracy over equal-width confidence bins."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    which = bin_numbers(confidence)
    gaps = [
        abs(confidence[which == b].mean() - correct[which == b].mean()) * (which == b).mean()
        for b in range(CALIBRATION_BINS)
        if (which == b).any()
    ]
    return float(np.sum(gaps))
