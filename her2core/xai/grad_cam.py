"""Grad-CAM (Selvaraju et al., ICCV 2017) from the last feature map, without a second pass.

Both networks end alike: the feature map is flattened or averaged, goes through one dense layer with
ReLU and one dense layer to the logits. Grad-CAM needs the gradient of a logit averaged over the
map, and in such a head that average is a small product:

    mean over places of d logit_c / d features = M (1[hidden > 0] * logits kernel[:, c])

with M, the hidden layer's kernel averaged over places, computed once. What the verdict's pass has
left (features and hidden activations) is enough; a map costs a few per cent of a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from her2core.models.classifier import Classifier, compiled
from her2core.scores import HER2Score
from her2core.xai.explanation import Explanation
from her2core.xai.readings import grad_cam_reading

Floats = npt.NDArray[np.float32]
_SIDE = 224


class GradCam:
    """Grad-CAM for one classifier. Safe to use from several threads."""

    def __init__(self, classifier: Classifier) -> None:
        """Compile for feature maps of this classifier and warm up."""
        self._model_id = classifier.model_id
        self._grid = classifier.feature_shape[:2]
        model, shape = classifier.bundle.model, classifier.feature_shape
        averaged = tf.constant(_averaged_kernel(model, shape))
        to_logits = tf.constant(model.get_layer("logits").kernel.numpy())
        features_spec = tf.TensorSpec((None, *shape), tf.float32)
        hidden_spec = tf.TensorSpec((None, averaged.shape[1]), tf.float32)
        target_spec = tf.TensorSpec((None, 4), tf.float32)

        def heat(
            features: tf.Tensor, hidden: tf.Tensor, target: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            through = tf.matmul(target, to_logits, transpose_b=True) * tf.sign(hidden)
            weights = tf.matmul(through, averaged, transpose_b=True)
            cam = tf.nn.relu(tf.einsum("nhwc,nc->nhw", features, weights))
            large = tf.image.resize(cam[..., None], (_SIDE, _SIDE), method="bilinear")[..., 0]
            highest = tf.reduce_max(large, axis=(1, 2))
            return tf.math.divide_no_nan(large, highest[:, None, None]), highest

        head = classifier.head
        self._hidden = compiled(lambda x: head(x, training=False), [features_spec], head)
        self._heat = compiled(heat, [features_spec, hidden_spec, target_spec], head)
        self(np.zeros(shape, np.float32), HER2Score.ZERO)

    def __call__(
        self, features: Floats, target: HER2Score, hidden: Floats | None = None
    ) -> Explanation:
        """Explain one patch.

        Args:
            features: float32 (h, w, c) or (1, h, w, c), as `Classifier.infer` returns them.
            target: the class whose logit is explained.
            hidden: the hidden activations (units,) belonging to them, as `Classifier.read` returns
                them; computed again where not given.

        Returns:
            Heat in [0, 1]; `scale` is the class-activation value that 1.0 stands for, 0 where
            nothing speaks for the class and the map is empty.
        """
        batch = features.reshape(1, *features.shape[-3:])
        return self.batch(batch, [target], None if hidden is None else hidden.reshape(1, -1))[0]

    def batch(
        self, features: Floats, targets: Sequence[HER2Score], hidden: Floats | None = None
    ) -> list[Explanation]:
        """Explain n patches at once: features (n, h, w, c), one target each, hidden (n, units)."""
        one_hot = np.eye(4, dtype=np.float32)[[int(target) for target in targets]]
        maps = tf.constant(features)
        units = self._hidden(maps) if hidden is None else tf.constant(hidden)
        heats, scales = self._heat(maps, units, tf.constant(one_hot))
        return [
            Explanation(
                method="grad_cam",
                model_id=self._model_id,
                target=target,
                heat=heat,
                scale=float(scale),
                reading=grad_cam_reading(target, self._grid, empty=not scale > 0),
            )
            for target, heat, scale in zip(targets, heats.numpy(), scales.numpy(), strict=True)
        ]


def _averaged_kernel(model: keras.Model, feature_shape: tuple[int, int, int]) -> Floats:
    """d hidden (before ReLU) / d features, averaged over the places of the map: (c, units)."""
    height, width, channels = feature_shape
    kernel: Floats = model.get_layer("hidden").kernel.numpy()
    if len(kernel) == height * width * channels:  # the map was flattened
        averaged: Floats = kernel.reshape(height * width, channels, -1).mean(axis=0)
        return averaged
    if len(kernel) == channels:  # the map was averaged
        return kernel / np.float32(height * width)
    raise ValueError("Grad-CAM knows heads which flatten or average the last feature map only.")
