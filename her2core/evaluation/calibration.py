"""Are the probabilities what they claim to be? Temperature scaling and calibration error.

Temperature scaling and the expected calibration error as in Guo et al., "On Calibration of Modern
Neural Networks", ICML 2017.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

CALIBRATION_BINS = 15

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """The temperature in [0.05, 20] that minimises the negative log likelihood.

    Args:
        logits: float (n, 4), scores before softmax, n >= 1.
        labels: int (n,), true classes 0 to 3.
    """

    def loss(log_temperature: float) -> float:
        rows = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-rows[np.arange(len(labels)), labels].mean())

    best = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(best.x))


def tempered(logits: Floats, temperature: float) -> Floats:
    """Probabilities (n, 4) of logits (n, 4) divided by the temperature."""
    return np.asarray(softmax(logits / temperature, axis=1))


def untempered(probabilities: Floats, temperature: float) -> Floats:
    """The probabilities (n, 4) as they were before their logits were divided by the temperature.

    Softmax forgets only a constant of the logits, so p to the power of the temperature, made to
    sum to 1, is what temperature 1 would have given.
    """
    logits = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    return tempered(logits, 1.0 / temperature)


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
