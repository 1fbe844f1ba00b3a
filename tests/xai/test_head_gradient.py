"""The head's derivative written out in numpy equals TensorFlow's, for both kinds of head."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from her2core.models.head import Head
from her2core.settings import PROJECT_ROOT
from tests.tiny_bundles import NAMES, classifier, pixels

DIRECTIONS = {
    "one class": np.array([0, 0, 1, 0], np.float32),
    "a contrast": np.array([0, 0, 1, -1], np.float32),
}


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_it_equals_the_gradient_through_the_whole_network(name, direction):
    import keras
    import tensorflow as tf

    model = classifier(name).bundle.model
    layers = [model.get_layer(layer).output for layer in ("features", "hidden", "logits")]
    whole = keras.Model(model.inputs[0], layers)
    with tf.GradientTape() as tape:
        features, hidden, logits = whole(tf.constant(pixels(2, seed=5)), training=False)
        wanted = tf.reduce_sum(logits * direction)
    expected = tape.gradient(wanted, features).numpy()

    head = classifier(name).head
    assert head.flattened == (name == "cnn")
    found = head.gradient(hidden.numpy(), direction)
    assert found.shape == expected.shape
    assert np.allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    mean = expected.mean(axis=(1, 2))
    assert np.abs(mean).max() > 0
    found = head.mean_gradient(hidden.numpy(), np.stack([direction, direction]))
    assert np.allclose(found, mean, atol=1e-4 * np.abs(mean).max())


def test_weights_of_another_kind_of_head_are_refused():
    hidden, last = np.zeros((9, 5), np.float32), np.zeros((5, 4), np.float32)
    with pytest.raises(ValueError, match="flatten or average"):
        Head((2, 2, 3), hidden, last)


def test_maps_need_no_tensorflow():
    code = "import sys, her2core.xai.methods.grad_cam; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=True)
