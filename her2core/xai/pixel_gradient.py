"""The gradient of class probabilities by the pixels, compiled once."""

from collections.abc import Callable

import tensorflow as tf

from her2core.models.classifier import PIXELS, Classifier, compiled

PixelGradient = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def pixel_gradient(classifier: Classifier) -> PixelGradient:
    """Compile the gradient.

    Returns:
        A function of pixels float32 (n, 224, 224, 3) and weights (4,), one-hot for a single class,
        giving the gradient of the so weighted temperature-scaled probabilities, float32
        (n, 224, 224, 3).
    """
    model = classifier.scaled

    def gradient(pixels: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pixels)
            probability = tf.reduce_sum(model(pixels, training=False) * target)
        return tape.gradient(probability, pixels)

    return compiled(gradient, [PIXELS, tf.TensorSpec((4,), tf.float32)], model)
