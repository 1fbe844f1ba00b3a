"""Weights are stored so that a processor which multiplies in bfloat16 has nothing left to round."""

from __future__ import annotations

import keras
import ml_dtypes
import numpy as np
import pytest

from her2core.models.architectures import ARCHITECTURES
from her2core.models.architectures.keras_model import build
from her2core.models.bundles.card import BundleError
from her2core.models.bundles.compact import compact, scaled_by_one
from tests.tiny_bundles import noise


def moved(architecture: str) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """A network with every vector away from its start, some gains below zero."""
    model = build(ARCHITECTURES[architecture])
    random = np.random.default_rng(7)
    for weight in model.weights:
        if len(weight.shape) == 1:
            low = -0.5 if weight.path.endswith(("gamma", "beta", "moving_mean")) else 0.5
            weight.assign(random.uniform(low, 1.5, weight.shape))
    return model, {weight.path: weight.numpy() for weight in model.weights}


def with_weights(architecture: str, tensors) -> keras.Model:
    model = build(ARCHITECTURES[architecture])
    for weight in model.weights:
        weight.assign(tensors[weight.path])
    return model


def test_scales_moved_into_kernels_change_no_answer():
    model, tensors = moved("densenet121")
    again = with_weights("densenet121", scaled_by_one(tensors, "densenet121"))
    pixels = noise(2, seed=3).astype(np.float32) / np.float32(255)
    before, after = (np.asarray(_features(one)(pixels, training=False)) for one in (model, again))
    assert np.ptp(before) > 0.1
    assert np.allclose(after, before, atol=1e-4 * np.abs(before).max())
    # training on finds the same activations too, but for the epsilon in the normalisation
    before, after = (
        np.asarray(_features(one)(pixels, training=True)).ravel() for one in (model, again)
    )
    assert np.corrcoef(before, after)[0, 1] > 0.999


def _features(model: keras.Model) -> keras.Model:
    return keras.Model(model.inputs[0], model.get_layer("features").output)


def test_what_multiplies_has_no_more_than_eight_bits():
    _, tensors = moved("densenet121")
    stored = compact(tensors, "densenet121", "a")
    for convolution, norm in ARCHITECTURES["densenet121"].normalised_convolutions:
        gain = stored[f"{norm.name}/gamma"]
        scale = gain / np.sqrt(stored[f"{norm.name}/moving_variance"] + np.float32(norm.epsilon))
        product = stored[f"{convolution.name}/kernel"].astype(np.float32) * scale
        rounded = product.astype(ml_dtypes.bfloat16).astype(np.float32)
        assert np.allclose(product, rounded, rtol=1e-6)
    kernels = [values for path, values in stored.items() if values.ndim == 4]
    assert len(kernels) == 120
    for kernel in kernels:
        exact = kernel.astype(np.float32)
        assert np.array_equal(exact, exact.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_normalised_convolutions_are_those_read_by_a_normalisation_alone():
    pairs = [
        (convolution.name, norm.name)
        for convolution, norm in ARCHITECTURES["densenet121"].normalised_convolutions
    ]
    assert tuple(pairs[:2]) == (
        ("conv1_conv", "conv1_bn"),
        ("conv2_block1_1_conv", "conv2_block1_1_bn"),
    )
    assert len(pairs) == 1 + 6 + 12 + 24 + 16
    assert ARCHITECTURES["cnn"].normalised_convolutions == ()


def test_a_value_too_large_for_the_disk_is_refused_by_name():
    _, tensors = moved("cnn")
    tensors["conv2/kernel"] = tensors["conv2/kernel"] * np.float32(1e7)
    with pytest.raises(BundleError, match="conv2/kernel is too large"):
        compact(tensors, "cnn", "a")
