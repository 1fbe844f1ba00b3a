"""The softmax temperature: how logits become the probabilities that are shown, and its fitting.

Temperature scaling as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. Every
backend, the pixel gradient, evaluation and calibration come here, so that a temperature of another
kind is a change of this file. One for each class, say: `Temperature = float | tuple[float, ...]`,
where the cards and reports there are still hold one number, which stays good for all classes.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Temperature = float
Floats = npt.NDArray[np.float64]
NEUTRAL: Temperature = 1.0  # changes nothing


def probabilities(logits: npt.NDArray[np.floating[Any]], temperature: Temperature) -> Floats:
    """Probabilities, float64 (n, 4), of logits (n, 4) divided by the temperature."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def keras_probabilities(logits: Any, temperature: Temperature) -> Any:
    """The same as layers behind a keras tensor of logits, for what differentiates them."""
    import keras

    # Names of their own: the network already has a layer "probabilities".
    scaled = keras.layers.Rescaling(1.0 / temperature, name="tempered")(logits)
    return keras.layers.Softmax(name="tempered_probabilities")(scaled)


def without_temperature(shown: Floats, temperature: Temperature) -> Floats | None:
    """The probabilities (n, 4) as they were before their logits were divided by the temperature.

    Softmax forgets only a constant of the logits, so p to the power of the temperature, made to
    sum to 1, is what temperature 1 would have given. A kind of temperature that cannot be undone
    so gives None, and the figures before temperature are left out.
    """
    logits = np.log(np.maximum(shown, np.finfo(np.float64).tiny))
    return probabilities(logits, 1.0 / temperature)


def fit_temperature(
    logits: Floats, labels: npt.NDArray[np.int64], groups: Sequence[str] = ()
) -> Temperature:
    """The temperature in [0.05, 20] that minimises the negative log likelihood.

    Args:
        logits: float (n, 4), scores before softmax, n >= 1.
        labels: int (n,), true classes 0 to 3.
        groups: (n,), each counts the same however many patches it has; none: each patch does.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and only training fits
    from scipy.special import log_softmax

    sizes = Counter(groups)
    weights = [1 / sizes[group] for group in groups] if groups else np.ones(len(labels))

    def loss(log_temperature: float) -> float:
        rows = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-np.average(rows[np.arange(len(labels)), labels], weights=weights))

    best = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(best.x))


def is_valid(temperature: Temperature) -> bool:
    """Whether it is above zero."""
    return temperature > 0


def in_words(temperature: Temperature) -> str:
    """E.g. "1.37", or "1 (probabilities as they come)"."""
    note = " (probabilities as they come)" if temperature == NEUTRAL else ""
    return f"{temperature:.3g}{note}"
