"""SHAP values of pixels: expected gradients by shap.GradientExplainer, for one class at a time.

shap draws the samples and averages; what is replaced is how it gets gradients. By default it
compiles one gradient per class and computes all four. Here one compiled gradient takes the class as
an input, runs in small batches, and only the class on the screen is computed.

Method: Erion et al., Nature Machine Intelligence 2021; Lundberg and Lee, NeurIPS 2017.
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import shap
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from her2core.models.architectures import ARCHITECTURES
from her2core.models.backends.reader import check_pixels
from her2core.models.backends.tensorflow_backend import PIXELS, Classifier, compiled
from her2core.scores import HER2Score
from her2core.xai.explanation import Explanation
from her2core.xai.progress import Progress
from her2core.xai.readings import shap_reading

Floats = npt.NDArray[np.float32]
PixelGradient = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
DEFAULT_SAMPLES = 50
SEED = 2018
_SATURATION = 99.5
# Standard deviation in pixels of the 224. One pixel's value is mostly sampling noise and where the
# network's own grid happens to lie: the first map of DenseNet121 has cells of 4 pixels, and without
# this its values move with the grid instead of with the tissue. Values add up, so a
# neighbourhood's share is as good a SHAP value and far steadier.
_SMOOTHING = 4.0
# shap seeds numpy's one global generator, so only one explanation may draw at a time.
_drawing = threading.Lock()


class ShapExplainer:
    """SHAP values for one classifier. Safe to use from several threads."""

    def __init__(self, classifier: Classifier, gradient: PixelGradient | None = None) -> None:
        """Reads the background patches once; compiles where no `gradient` is given, in seconds."""
        self._model_id = classifier.model_id
        self._read = classifier.read
        background = classifier.bundle.background.astype(np.float32) / np.float32(255)
        of_background = classifier.read(background).probabilities.astype(np.float64)
        self._expected: npt.NDArray[np.float64] = of_background.mean(axis=0)
        self._batch = ARCHITECTURES[classifier.bundle.card.architecture].gradient_batch
        self._progress = Progress()
        self._explainer = shap.GradientExplainer(
            classifier.scaled, background, batch_size=self._batch
        )
        by_pixels = gradient or pixel_gradient(classifier)

        def counted(pixels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
            self._progress.step()
            return by_pixels(pixels, weights)

        _differentiate_by(self._explainer, counted)

    def __call__(
        self,
        pixels: Floats,
        target: HER2Score,
        samples: int = DEFAULT_SAMPLES,
        against: HER2Score | None = None,
        progress: Progress | None = None,
    ) -> Explanation:
        """Explain one patch; the same patch always gives the same map.

        Args:
            pixels: float32 (224, 224, 3) or (1, 224, 224, 3) in [0, 1].
            target: the class whose temperature-scaled probability is explained.
            samples: number of samples, each a point between a background patch and this one.
            against: explain that probability minus this class's.
            progress: learns how far the map is; may stop it.

        Returns:
            Signed heat in [-1, 1]: attributions summed over the colour channels and smoothed over
            neighbouring pixels; `scale` is the 99.5th percentile of their size, in probability per
            pixel. Larger ones are clipped.

        Raises:
            ValueError: the pixels have another shape or leave [0, 1], samples is below 1, or a
                class is contrasted with itself.
            StoppedError: through `progress` the map was given up.
        """
        if against == target:
            raise ValueError("A class has no contrast with itself.")
        if samples < 1:
            raise ValueError("SHAP needs at least one sample.")
        patch = pixels.reshape(1, *pixels.shape[-3:])
        check_pixels(patch)
        attributions = self.attributions(patch, target, samples, against, progress=progress)
        moved = self._read(patch).probabilities[0].astype(np.float64) - self._expected
        gap = float(attributions.sum() - moved[target])
        if against is not None:
            gap += float(moved[against])
        heat, scale = _scaled(smoothed(attributions.sum(axis=-1)))
        return Explanation(
            method="shap",
            model_id=self._model_id,
            target=target,
            heat=heat,
            scale=scale,
            completeness_gap=gap,
            samples=samples,
            reading=shap_reading(target, samples, gap, scale == 0.0, against),
            against=against,
        )

    def attributions(
        self,
        patch: Floats,
        target: HER2Score,
        samples: int,
        against: HER2Score | None = None,
        seed: int = SEED,
        progress: Progress | None = None,
    ) -> npt.NDArray[np.float64]:
        """shap's own values for one class: float64 (224, 224, 3), in probability.

        Args:
            patch: float32 (1, 224, 224, 3) in [0, 1].
            target: the class.
            samples: number of samples.
            against: for a contrast, the other class; SHAP values are linear, so this is the
                difference of both classes' values, at the price of one.
            seed: of the samples drawn.
            progress: learns how far the samples are; may stop them.

        Raises:
            StoppedError: through `progress`.
        """
        output = _output(target, target if against is None else against)
        with _drawing:
            state = np.random.get_state()
            self._progress = progress or Progress()
            self._progress.begin(-(-samples // self._batch))
            try:
                values, _ = self._explainer.shap_values(
                    patch,
                    nsamples=samples,
                    ranked_outputs=np.array([[output]]),
                    output_rank_order="custom",
                    rseed=seed,
                )
            finally:
                np.random.set_state(state)
        return np.array(values, dtype=np.float64).reshape(patch.shape[1:])


def pixel_gradient(classifier: Classifier) -> PixelGradient:
    """Compile the gradient of class probabilities by the pixels.

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


def _differentiate_by(explainer: shap.GradientExplainer, gradient: PixelGradient) -> None:
    """Put our compiled gradient where shap keeps those it would otherwise make itself."""
    inner: Any = explainer.explainer

    def of_output(weights: tf.Tensor, inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        return [gradient(inputs[0], weights)]

    unit = np.eye(4, dtype=np.float32)
    inner.gradients = [
        partial(of_output, tf.constant(unit[a] - (a != b) * unit[b]))
        for a in range(4)
        for b in range(4)
    ]
    # shap reads the patch to rank the classes; we name the class, so there is nothing to rank.
    inner.model = lambda inputs: np.zeros((len(inputs[0]), 4), np.float32)


def _output(target: HER2Score, against: HER2Score) -> int:
    """Where `_differentiate_by` put a class, or the difference of two, among shap's outputs."""
    return 4 * int(target) + int(against)


def smoothed(signed: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The map after a Gaussian which keeps its sum (mirrored at the edges)."""
    return np.asarray(gaussian_filter(signed, _SMOOTHING, mode="reflect"), dtype=np.float64)


def _scaled(signed: npt.NDArray[np.float64]) -> tuple[Floats, float]:
    """Signed values scaled into [-1, 1] by the 99.5th percentile of their size, and that size."""
    size = np.abs(signed)
    scale = float(np.percentile(size, _SATURATION)) or float(size.max())
    if not scale > 0.0:
        return np.zeros(signed.shape, np.float32), 0.0
    return np.clip(signed / scale, -1.0, 1.0).astype(np.float32), scale
