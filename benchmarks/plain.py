"""The plain ways: what one writes first with the same libraries, used as peers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt


def eager_grad_cam(model: Any) -> Callable[[Any, int], Any]:
    """Grad-CAM as tutorials write it: a second model, an eager tape, no compilation."""
    import keras
    import tensorflow as tf

    outputs = [model.get_layer("features").output, model.get_layer("logits").output]
    second = keras.Model(model.inputs[0], outputs)

    def explain(pixels: Any, target: int) -> Any:
        with tf.GradientTape() as tape:
            features, logits = second(tf.constant(pixels), training=False)
            score = logits[:, target]
        weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2))
        cam = tf.nn.relu(tf.einsum("nhwc,nc->nhw", features, weights))
        large = tf.image.resize(cam[..., None], (224, 224))[..., 0]
        return (large / tf.reduce_max(large)).numpy()

    return explain


def stain_report(rgb: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
    """Cells and how brown their rims are, by scikit-image called as its documentation does.

    Colour deconvolution, Otsu thresholds, watershed of the distance transform, a ring around each
    nucleus, and its mean DAB.
    """
    from scipy import ndimage
    from skimage.color import rgb2hed
    from skimage.feature import peak_local_max
    from skimage.filters import gaussian, threshold_otsu
    from skimage.measure import label, regionprops_table
    from skimage.segmentation import expand_labels, watershed

    stains = rgb2hed(rgb)
    nuclear, brown = gaussian(stains[..., 0], 2), stains[..., 2]
    mask = nuclear > threshold_otsu(nuclear)
    distance = ndimage.distance_transform_edt(mask)
    peaks = peak_local_max(distance, min_distance=7, labels=label(mask))
    seeds = np.zeros(mask.shape, int)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    nuclei = watershed(-distance, seeds, mask=mask)
    ring = expand_labels(nuclei, 6)
    ring[nuclei > 0] = 0
    cells: dict[str, npt.NDArray[Any]] = regionprops_table(
        ring, intensity_image=brown, properties=("label", "area", "intensity_mean")
    )
    positive = brown > threshold_otsu(brown)
    cells["stained share"] = np.array(
        ndimage.mean(positive.astype(float), ring, cells["label"]) if len(peaks) else []
    )
    return cells
