"""Grad-CAM from what the verdict leaves behind equals Grad-CAM through the whole network."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from her2core.scores import HER2Score
from her2core.xai.grad_cam import GradCam
from tests.tiny_bundles import NAMES, classifier, pixels


@cache
def grad_cam(name: str) -> GradCam:
    return GradCam(classifier(name).model_id, classifier(name).head)


@cache
def references(name: str) -> list[tuple[np.ndarray, float]]:
    """The definition, step by step, by an eager tape over the whole model, for all classes."""
    import keras
    import tensorflow as tf

    model = classifier(name).bundle.model
    outputs = [model.get_layer("features").output, model.get_layer("logits").output]
    whole = keras.Model(model.inputs[0], outputs)
    with tf.GradientTape(persistent=True) as tape:
        features, logits = whole(tf.constant(pixels(1, seed=5)), training=False)
        scores = [logits[:, target] for target in HER2Score]
    found = []
    for score in scores:
        weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2))
        cam = tf.nn.relu(tf.reduce_sum(features * weights[:, None, None, :], axis=-1))
        large = tf.image.resize(cam[..., None], (224, 224), method="bilinear")[0, ..., 0].numpy()
        highest = float(large.max())
        found.append((large / highest if highest > 0 else large, highest))
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", list(HER2Score))
def test_it_equals_the_gradient_through_the_whole_model(name: str, target: HER2Score) -> None:
    expected, highest = references(name)[target]
    seen = classifier(name).read(pixels(1, seed=5))
    with_hidden = grad_cam(name)(seen.features, target, seen.hidden)
    without = grad_cam(name)(seen.features[0], target)
    for explanation in (with_hidden, without):
        assert np.allclose(explanation.heat, expected, atol=1e-4)
        assert explanation.scale == pytest.approx(highest, rel=1e-3, abs=1e-7)
        assert explanation.heat.shape == (224, 224)
        assert explanation.heat.dtype == np.float32
        assert (explanation.method, explanation.target) == ("grad_cam", target)
        assert explanation.model_id == classifier(name).model_id


@pytest.mark.parametrize("name", NAMES)
def test_at_least_one_class_has_a_map_that_reaches_one(name: str) -> None:
    features = classifier(name).infer(pixels(1, seed=5))[1]
    maps = [grad_cam(name)(features, target) for target in HER2Score]
    assert max(explanation.heat.max() for explanation in maps) == pytest.approx(1.0)
    assert all(explanation.heat.min() >= 0.0 for explanation in maps)


def test_a_batch_gives_each_patch_its_own_map() -> None:
    features = classifier("densenet121").infer(pixels(3))[1]
    targets = [HER2Score.ZERO, HER2Score.THREE_PLUS, HER2Score.ONE_PLUS]
    together = grad_cam("densenet121").batch(features, targets)
    for number, target in enumerate(targets):
        alone = grad_cam("densenet121")(features[number], target)
        assert np.allclose(together[number].heat, alone.heat, atol=1e-5)


def test_an_empty_map_stays_empty_and_says_so() -> None:
    shape = classifier("cnn").feature_shape
    explanation = grad_cam("cnn")(np.zeros(shape, np.float32), HER2Score.TWO_PLUS)
    assert not explanation.heat.any()
    assert explanation.scale == 0.0
    assert "the map is empty" in explanation.reading


@pytest.mark.parametrize(("name", "grid"), [("cnn", "12 x 12"), ("densenet121", "7 x 7")])
def test_the_reading_says_how_coarse_the_map_is(name: str, grid: str) -> None:
    features = classifier(name).infer(pixels(1, seed=5))[1]
    readings = [grad_cam(name)(features, target).reading for target in HER2Score]
    assert any(f"only {grid} cells" in text and "cannot outline" in text for text in readings)
