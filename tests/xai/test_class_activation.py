"""Maps from what the verdict leaves behind equal maps through the whole network, by any method."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from her2core.scores import HER2Score
from her2core.xai.class_activation import ClassActivation
from her2core.xai.methods import CLASS_ACTIVATION, METHODS
from her2core.xai.methods.hires_cam import hires_cam
from her2core.xai.methods.method import ScoreGradient
from tests.tiny_bundles import NAMES, classifier, pixels

SEED = 5


@cache
def maps_of(name: str) -> ClassActivation:
    return ClassActivation(classifier(name).model_id, classifier(name).head)


@cache
def whole_network(name: str) -> tuple[np.ndarray, np.ndarray]:
    """An eager tape over the whole model: features (h, w, c), gradients of all logits by them."""
    import keras
    import tensorflow as tf

    model = classifier(name).bundle.model
    outputs = [model.get_layer("features").output, model.get_layer("logits").output]
    whole = keras.Model(model.inputs[0], outputs)
    with tf.GradientTape(persistent=True) as tape:
        features, logits = whole(tf.constant(pixels(1, seed=SEED)), training=False)
        scores = [logits[:, target] for target in HER2Score]
    gradients = [tape.gradient(score, features)[0].numpy() for score in scores]
    return features[0].numpy().astype(np.float64), np.stack(gradients).astype(np.float64)


def by_definition(method: str, features: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The papers' formulas, channel by channel, signed."""
    cam = np.zeros(features.shape[:2])
    for channel in range(features.shape[-1]):
        a, g = features[..., channel], gradient[..., channel]
        if method == "hires_cam":
            cam += a * g
        elif method == "grad_cam":
            cam += a * g.mean()
        elif method == "layer_cam":
            cam += a * np.maximum(g, 0)
        elif method == "grad_cam_plus_plus":
            below = 2 * g**2 + a.sum() * g**3
            alpha = np.divide(g**2, below, out=np.zeros_like(g), where=below != 0)
            cam += a * (alpha * np.maximum(g, 0)).sum()
        else:
            raise NotImplementedError(f"Write the definition of {method} here.")
    return cam


def enlarged(cam: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    return tf.image.resize(cam[..., None], (224, 224), method="bilinear")[..., 0].numpy()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", CLASS_ACTIVATION)
def test_each_class_equals_the_definition_through_the_whole_model(name, method):
    features, gradients = whole_network(name)
    seen = classifier(name).read(pixels(1, seed=SEED))
    filled = 0
    for target in HER2Score:
        explanation = maps_of(name)(seen.features, seen.hidden, target, method)
        expected = enlarged(np.maximum(by_definition(method, features, gradients[target]), 0))
        highest = float(expected.max())
        assert np.allclose(explanation.heat, expected / (highest or 1), atol=1e-4)
        assert explanation.scale == pytest.approx(highest, rel=1e-3, abs=1e-7)
        assert (explanation.heat.shape, explanation.heat.dtype) == ((224, 224), np.float32)
        assert (explanation.method, explanation.target) == (method, target)
        assert explanation.model_id == classifier(name).model_id
        assert not explanation.signed
        filled += highest > 0
        alone = maps_of(name)(seen.features[0], seen.hidden[0], target, method)
        assert np.array_equal(alone.heat, explanation.heat)
    assert filled


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["grad_cam", "hires_cam"])
def test_a_contrast_is_the_gradient_of_the_difference_of_two_scores(name, method):
    features, gradients = whole_network(name)
    seen = classifier(name).read(pixels(1, seed=SEED))
    target, other = HER2Score.TWO_PLUS, HER2Score.THREE_PLUS
    found = maps_of(name)(seen.features, seen.hidden, target, method, other)
    difference = gradients[target] - gradients[other]
    expected = enlarged(by_definition(method, features, difference))
    assert np.allclose(found.heat, expected / np.abs(expected).max(), atol=1e-4)
    assert found.signed
    assert found.against is other
    assert "2+ rather than 3+" in found.reading
    turned = maps_of(name)(seen.features, seen.hidden, other, method, target)
    assert np.allclose(turned.heat, -found.heat, atol=1e-5)


def test_what_has_no_contrast_is_refused():
    seen = classifier("cnn").read(pixels(1, seed=SEED))
    two, three = HER2Score.TWO_PLUS, HER2Score.THREE_PLUS
    with pytest.raises(ValueError, match="no contrast"):
        maps_of("cnn")(seen.features, seen.hidden, two, "grad_cam", two)
    with pytest.raises(ValueError, match="no contrast"):
        maps_of("cnn")(seen.features, seen.hidden, two, "grad_cam_plus_plus", three)
    with pytest.raises(ValueError, match="no class-activation"):
        maps_of("cnn")(seen.features, seen.hidden, two, "shap")
    assert not METHODS["grad_cam_plus_plus"].contrasts


def test_behind_a_global_average_hires_cam_is_grad_cam_and_behind_a_flattened_map_it_is_not():
    """Places share one gradient in the first case only."""
    alike = {}
    for name in NAMES:
        seen = classifier(name).read(pixels(1, seed=SEED))
        pairs = [
            [
                maps_of(name)(seen.features, seen.hidden, t, m).heat
                for m in ("grad_cam", "hires_cam")
            ]
            for t in HER2Score
        ]
        alike[name] = all(np.allclose(a, b, atol=1e-4) for a, b in pairs)
    assert alike == {"cnn": False, "densenet121": True}


def test_hires_cam_says_what_a_place_adds_to_the_logit():
    """Between its kinks the head is linear in the map: a bit more of a place adds its heat."""
    seen, head = classifier("cnn").read(pixels(1, seed=SEED)), classifier("cnn").head
    target, small = int(HER2Score.ONE_PLUS), 1e-6
    kernel, bias = (
        weights.astype(np.float64)
        for weights in classifier("cnn").bundle.model.get_layer("hidden").get_weights()
    )

    def logit(features: np.ndarray) -> float:
        hidden = np.maximum(features.reshape(-1) @ kernel + bias, 0)
        return float(hidden @ head.logits_kernel[:, target].astype(np.float64))

    features = seen.features[0].astype(np.float64)
    direction = np.eye(4, dtype=np.float32)[[target]]
    heat = hires_cam(seen.features, ScoreGradient(head, seen.hidden, direction))[0]
    for place in ((0, 0), (5, 7), (11, 11)):
        moved = features.copy()
        moved[place] *= 1 + small
        added = (logit(moved) - logit(features)) / small
        assert added == pytest.approx(float(heat[place]), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("method", CLASS_ACTIVATION)
def test_an_empty_map_stays_empty_and_says_so(method):
    seen = classifier("cnn").read(pixels(1, seed=SEED))
    empty = np.zeros_like(seen.features)
    found = maps_of("cnn")(empty, seen.hidden, HER2Score.TWO_PLUS, method)
    assert not found.heat.any()
    assert found.scale == 0.0
    assert "the map is empty" in found.reading


@pytest.mark.parametrize(("name", "grid"), [("cnn", "12 x 12"), ("densenet121", "7 x 7")])
def test_the_reading_says_how_coarse_the_map_is(name, grid):
    seen = classifier(name).read(pixels(1, seed=SEED))
    maps = [maps_of(name)(seen.features, seen.hidden, target) for target in HER2Score]
    readings = [one.reading for one in maps]
    assert any(f"only {grid} cells" in text and "cannot outline" in text for text in readings)
