"""The fast SHAP values are shap's own, for one class, and their error is told."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import shap
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from her2core.scores import HER2Score
from her2core.xai.explanation import Explanation
from her2core.xai.progress import Progress, StoppedError
from her2core.xai.shap_values import SEED, ShapExplainer, pixel_gradient
from tests.tiny_bundles import NAMES, classifier, pixels

SAMPLES = 4
TARGET = HER2Score.TWO_PLUS


@cache
def explainer(name: str) -> ShapExplainer:
    return ShapExplainer(classifier(name))


@cache
def explained(name: str) -> Explanation:
    return explainer(name)(pixels(1, seed=3)[0], TARGET, SAMPLES)


def background(name: str) -> np.ndarray:
    return classifier(name).bundle.background.astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("name", NAMES)
def test_attributions_are_those_of_shap_at_equal_samples_and_seed(name: str) -> None:
    patch = pixels(1, seed=3)
    plain = shap.GradientExplainer(classifier(name).scaled, background(name))
    theirs, _ = plain.shap_values(
        patch,
        nsamples=SAMPLES,
        ranked_outputs=np.array([[int(TARGET)]]),
        output_rank_order="custom",
        rseed=SEED,
    )
    ours = explainer(name).attributions(patch, TARGET, SAMPLES)
    assert spearmanr(ours.ravel(), np.ravel(theirs)).statistic >= 0.95
    assert np.allclose(ours, np.reshape(theirs, ours.shape), atol=1e-2 * np.abs(theirs).max())


@pytest.mark.parametrize("name", NAMES)
def test_the_compiled_gradient_is_the_gradient(name: str) -> None:
    import tensorflow as tf

    model, patch = classifier(name).scaled, tf.constant(pixels(1, seed=3))

    @tf.function
    def plain(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            probability = model(x, training=False)[:, int(TARGET)]
        return tape.gradient(probability, x)

    expected = plain(patch).numpy()
    ours = pixel_gradient(classifier(name))(patch, tf.one_hot(int(TARGET), 4)).numpy()
    # Rounding may switch a ReLU that stands at zero, which moves a few pixels; the map stays.
    assert np.linalg.norm(ours - expected) < 5e-3 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_gap_is_what_the_attributions_miss(name: str) -> None:
    patch = pixels(1, seed=3)
    attributions = explainer(name).attributions(patch, TARGET, SAMPLES)
    reader = classifier(name)
    difference = (
        reader.read(patch).probabilities[0, TARGET]
        - reader.read(background(name)).probabilities[:, TARGET].astype(np.float64).mean()
    )
    gap = explained(name).completeness_gap
    assert gap == pytest.approx(attributions.sum() - difference, abs=1e-6)
    assert gap is not None
    assert f"{gap:+.2f} in probability" in explained(name).reading or abs(gap) < 0.005


@pytest.mark.parametrize("name", NAMES)
def test_the_heat_is_the_smoothed_channel_sum_scaled_by_its_99_5th_percentile(name: str) -> None:
    explanation = explained(name)
    raw = explainer(name).attributions(pixels(1, seed=3), TARGET, SAMPLES).sum(axis=-1)
    signed = gaussian_filter(raw, 4.0, mode="reflect")
    assert signed.sum() == pytest.approx(raw.sum(), rel=1e-6)
    assert explanation.scale == pytest.approx(np.percentile(np.abs(signed), 99.5))
    assert np.allclose(explanation.heat, np.clip(signed / explanation.scale, -1, 1), atol=1e-6)
    assert explanation.heat.min() < 0 < explanation.heat.max()
    assert (explanation.method, explanation.samples) == ("shap", SAMPLES)
    assert explanation.heat.dtype == np.float32


def test_the_same_patch_gives_the_same_map_and_leaves_numpy_alone() -> None:
    np.random.seed(7)
    expected = np.random.random(3)
    np.random.seed(7)
    again = explainer("cnn")(pixels(1, seed=3), TARGET, SAMPLES)
    assert np.array_equal(np.random.random(3), expected)
    assert np.allclose(again.heat, explained("cnn").heat, atol=1e-5)
    assert again.completeness_gap == pytest.approx(explained("cnn").completeness_gap, abs=1e-7)


def test_progress_is_told_batch_by_batch_and_a_map_that_nobody_wants_ends_at_the_next() -> None:
    class Told(Progress):
        def __init__(self, most: float = 1.0) -> None:
            super().__init__()
            self.shares: list[float] = []
            self._most = most

        def reached(self, share: float) -> None:
            super().reached(share)
            self.shares.append(share)
            if share >= self._most:
                self.stop()

    make, patch = explainer("cnn"), pixels(1, seed=3)[0]
    told = Told()
    whole = make(patch, TARGET, 60, progress=told)
    assert told.shares == pytest.approx([0, 1 / 3, 2 / 3])
    given_up, state = Told(most=0.3), np.random.get_state(legacy=False)["state"]["key"].tolist()
    with pytest.raises(StoppedError):
        make(patch, TARGET, 60, progress=given_up)
    assert given_up.shares == pytest.approx([0, 1 / 3])
    assert np.random.get_state(legacy=False)["state"]["key"].tolist() == state
    assert np.array_equal(make(patch, TARGET, 60).heat, whole.heat)


def test_each_class_has_its_own_map_and_together_they_cancel() -> None:
    """Probabilities sum to one, so over all classes every pixel's attributions sum to zero."""
    patch = pixels(1, seed=3)
    all_classes = [explainer("cnn").attributions(patch, target, SAMPLES) for target in HER2Score]
    assert np.abs(all_classes[0] - all_classes[1]).max() > 0
    assert np.allclose(np.sum(all_classes, axis=0), 0, atol=1e-3 * np.abs(all_classes).max())


def test_a_patch_of_the_background_alone_explains_almost_nothing() -> None:
    """Against itself as the only other end of the path, a difference of zero is explained."""
    from dataclasses import replace

    from her2core.models.backends.tensorflow_backend import Classifier

    bundle = classifier("cnn").bundle
    alone = Classifier(replace(bundle, background=bundle.background[:1]))
    explanation = ShapExplainer(alone)(background("cnn")[0], TARGET, SAMPLES)
    assert not explanation.heat.any()
    assert explanation.scale == 0.0
    assert explanation.completeness_gap == pytest.approx(0.0, abs=1e-6)
    assert "the map is empty" in explanation.reading


def test_no_samples_and_wrong_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        explainer("cnn")(pixels(1), TARGET, 0)
    with pytest.raises(ValueError, match="Models read"):
        explainer("cnn")(pixels(1) * 255, TARGET, SAMPLES)


def test_a_contrast_is_the_difference_of_two_classes_and_costs_one():
    """SHAP values are linear, so "why 2+ and not 3+" is one map minus the other."""
    patch, other = pixels(1, seed=3), HER2Score.THREE_PLUS
    contrast = explainer("cnn").attributions(patch, TARGET, SAMPLES, other)
    alone = [explainer("cnn").attributions(patch, score, SAMPLES) for score in (TARGET, other)]
    assert np.allclose(contrast, alone[0] - alone[1], atol=1e-3 * np.abs(contrast).max())
    found = explainer("cnn")(patch[0], TARGET, SAMPLES, other)
    gaps = [
        explainer("cnn")(patch[0], score, SAMPLES).completeness_gap for score in (TARGET, other)
    ]
    assert found.completeness_gap == pytest.approx(gaps[0] - gaps[1], abs=1e-5)
    assert found.against is other
    assert "2+ rather than 3+" in found.reading
    with pytest.raises(ValueError, match="no contrast with itself"):
        explainer("cnn")(patch[0], TARGET, SAMPLES, TARGET)


def test_other_seeds_draw_other_samples():
    patch = pixels(1, seed=3)
    usual = explainer("cnn").attributions(patch, TARGET, SAMPLES)
    other = explainer("cnn").attributions(patch, TARGET, SAMPLES, seed=SEED + 1)
    assert not np.allclose(usual, other, atol=1e-3 * np.abs(usual).max())
