"""The loss of a recipe: cross-entropy, with the switches that go beyond the study."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from her2core.training.recipe import Recipe

SQUARED_GRADES = ((np.arange(4)[:, None] - np.arange(4)[None, :]) ** 2 / 9).astype(np.float32)


def class_weights(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Weights n / (4 n_c) of classes with counts (4,), all above 0; 1 on average over patches."""
    return np.asarray(counts.sum() / (4 * counts), np.float32)


def recipe_loss(
    recipe: Recipe, weights: npt.NDArray[np.float32] | None = None
) -> Callable[[Any, Any], Any]:
    """The loss per patch as a function of (targets, probabilities), both float32 (n, 4).

    With `ordinal` = a it is (1 - a) cross-entropy + a sum_jk q_j p_k (j - k)^2 / 9: the expected
    squared distance in grades between target q and answer p, which is the numerator of
    quadratic-weighted kappa (de la Torre et al., "Weighted kappa loss function for multi-class
    classification of ordinal data in deep learning", Pattern Recognit Lett 2018;105:144). The
    network keeps its four-class softmax.

    Args:
        recipe: label_smoothing and ordinal.
        weights: float32 (4,), of the classes; None weighs all alike.
    """
    import keras
    import tensorflow as tf

    share = recipe.ordinal

    def loss(targets: Any, probabilities: Any) -> Any:
        value = keras.losses.categorical_crossentropy(
            targets, probabilities, label_smoothing=recipe.label_smoothing
        )
        if share > 0:
            distance = tf.reduce_sum(tf.matmul(targets, SQUARED_GRADES) * probabilities, axis=1)
            value = (1 - share) * value + share * distance
        if weights is not None:
            value *= tf.linalg.matvec(targets, weights)
        return value

    return loss
