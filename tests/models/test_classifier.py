"""The same pixels give the same verdict, alone or among others, as the plain Keras model says."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from her2core.models.verdict import Verdict, verdict_of
from tests.tiny_bundles import NAMES, classifier, pixels


def plain_probabilities(name: str, batch: np.ndarray) -> np.ndarray:
    """Temperature scaling by hand over the untouched Keras model."""
    import keras

    bundle = classifier(name).bundle
    logits = keras.Model(bundle.model.inputs[0], bundle.model.get_layer("logits").output)
    scores = np.asarray(logits(batch, training=False)) / bundle.card.temperature
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# 19: more than the classifier takes through the network at once.
@pytest.mark.parametrize(("name", "count"), [("cnn", 19), ("densenet121", 4)])
def test_probabilities_are_those_of_the_plain_model_for_any_batch_size(
    name: str, count: int
) -> None:
    batch = pixels(count)
    together, features, _ = classifier(name).read(batch)
    assert together.shape == (count, 4)
    assert features.shape == (count, *classifier(name).feature_shape)
    assert np.ptp(together, axis=0).max() > 1e-3  # the patches do differ
    assert np.allclose(together, plain_probabilities(name, batch), atol=1e-5)
    # what SHAP differentiates is what is shown
    assert np.allclose(classifier(name).scaled(batch[:2]), together[:2], atol=1e-5)
    for number in (0, count // 2, count - 1):
        alone, alone_features, _ = classifier(name).read(batch[number : number + 1])
        assert np.allclose(alone[0], together[number], atol=1e-5)
        assert np.allclose(alone_features[0], features[number], atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_verdict_names_its_model_and_sums_to_one(name: str) -> None:
    reader = classifier(name)
    card = reader.bundle.card
    verdict = verdict_of(card, reader.read(pixels(1)).probabilities[0], reader.backend)
    assert isinstance(verdict, Verdict)
    assert verdict.architecture == name
    assert verdict.model_id == card.model_id
    assert verdict.demo
    assert sum(verdict.probabilities) == pytest.approx(1.0, abs=1e-6)


def test_threads_do_not_disturb_each_other() -> None:
    reader, batch = classifier("cnn"), pixels(6)
    expected = reader.read(batch).probabilities
    found: dict[int, np.ndarray] = {}

    def read(number: int) -> None:
        found[number] = reader.read(batch[number : number + 1]).probabilities[0]

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.allclose([found[number] for number in range(6)], expected, atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        pixels(1)[0],
        pixels(1)[:, :100],
        pixels(1).astype(np.float64),
        pixels(1) * 255,
        pixels(1) - 1,
        np.full((1, 224, 224, 3), np.nan, np.float32),
        pixels(0),
    ],
)
def test_what_is_not_model_input_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Models read"):
        classifier("cnn").read(wrong)
