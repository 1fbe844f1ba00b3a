"""Each network is described once; what is made of the description is one and the same network."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from her2core.models.architectures import ARCHITECTURES
from her2core.models.architectures.keras_model import build, take_weights
from her2core.models.backends.openvino_backend import OpenVinoReader
from her2core.models.backends.reader import TOLERANCE
from her2core.models.bundles.bundle_files import BundleFiles, read_files
from her2core.preprocessing.patches import decode
from her2core.settings import SHIPPED_DATA, load_settings
from tests.tiny_bundles import NAMES, classifier, noise

STORED = json.loads(Path(__file__).with_name("predictions.json").read_text())


@cache
def shipped(name: str) -> BundleFiles:
    return read_files(SHIPPED_DATA / "bundles" / f"{name}-demo")


def twenty_patches(name: str) -> np.ndarray:
    """The repository's sample patches and the bundle's own: float32 (20, 224, 224, 3)."""
    paths = sorted((SHIPPED_DATA / "demo").glob("*.png"))
    samples = [decode(p.read_bytes(), p.name, load_settings().limits).pixels() for p in paths]
    own = shipped(name).background[:12].astype(np.float32) / np.float32(255)
    return np.concatenate([np.stack(samples), own])


@pytest.mark.parametrize("name", NAMES)
def test_shipped_bundles_say_what_they_always_said(name):
    """predictions.json holds float32 probabilities, written when the bundles were shipped.

    Those of the bundles before held to 4.2e-7 when the networks came to be described in one place.
    """
    assert shipped(name).card.model_id == STORED[name]["model_id"]
    expected = np.array(STORED[name]["probabilities"])
    patches = twenty_patches(name)
    assert expected.shape == (len(patches), 4) == (20, 4)
    exact = OpenVinoReader(shipped(name), exact=True).read(patches).probabilities
    assert np.abs(exact - expected).max() <= 1e-5
    # at this processor's own precision
    usual = OpenVinoReader(shipped(name)).read(patches).probabilities
    assert np.abs(usual - expected).max() <= TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_weights_are_those_keras_builds(name):
    network, model = ARCHITECTURES[name], classifier(name).bundle.model
    assert dict(network.weights) == {w.path: tuple(w.shape) for w in model.weights}
    assert network.parameters == model.count_params()
    assert network.feature_shape == classifier(name).feature_shape
    for layer in network.layers:
        assert network.shapes[layer.name] == tuple(model.get_layer(layer.name).output.shape[1:])


def test_densenet121_is_that_of_keras_applications_whose_weights_fit():
    import keras

    original = keras.applications.DenseNet121(include_top=False, weights=None)
    random = np.random.default_rng(4)
    for weight in original.weights:
        if len(weight.shape) == 1:  # fresh batch normalisation would hide a mixed-up one
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    model = build(ARCHITECTURES["densenet121"])
    take_weights(model, original)
    head = {"hidden/kernel", "hidden/bias", "logits/kernel", "logits/bias"}
    assert {w.path for w in model.weights} - {w.path for w in original.weights} == head
    pixels = noise(1, seed=8).astype(np.float32) / np.float32(255)
    scaled = np.asarray(model.get_layer("imagenet_scaling")(pixels))
    expected = np.asarray(original(scaled, training=False))
    features = keras.Model(model.inputs[0], model.get_layer("features").output)
    assert np.ptp(expected) > 0
    assert np.allclose(features(pixels), expected, atol=1e-4 * np.abs(expected).max())
