"""Prediction sets: thresholds of a worked example, and the promised coverage on drawn data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2core.models.conformal import (
    ConformalSets,
    calibrate,
    prediction_set,
    prediction_sets,
    set_text,
    uncalibrated,
)
from her2core.scores import HER2Score

ZERO, ONE, TWO, THREE = HER2Score
ROWS = st.lists(st.floats(0.001, 1), min_size=4, max_size=4).map(
    lambda row: [value / sum(row) for value in row]
)
THRESHOLDS = st.tuples(*[st.floats(0, 1)] * 4)


def sets(a: float, b: float, c: float, d: float) -> ConformalSets:
    return ConformalSets(0.1, (a, b, c, d), (50,) * 4, "validation")


def test_the_threshold_is_the_ninth_of_nine_and_missing_where_patches_are_too_few():
    # nine patches of class 0: rank (9 + 1) * 0.9 = 9, the largest; eight of class 1: rank 9 > 8
    scores = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45])
    zeros = np.column_stack([1 - scores, scores, 0 * scores, 0 * scores])
    ones = np.column_stack([scores, 1 - scores, 0 * scores, 0 * scores])[:8]
    found = calibrate(np.vstack([zeros, ones]), np.array([0] * 9 + [1] * 8), "worked example")
    assert found.n == (9, 8, 0, 0)
    assert found.thresholds == pytest.approx((0.45, 1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("probabilities", "thresholds", "expected"),
    [
        ((0.9, 0.1, 0.0, 0.0), (0.5, 0.5, 0.5, 0.5), (ZERO,)),
        ((0.45, 0.5, 0.05, 0.0), (0.6, 0.6, 0.6, 0.6), (ZERO, ONE)),
        ((0.45, 0.05, 0.5, 0.0), (0.6, 0.6, 0.6, 0.6), (ZERO, ONE, TWO)),  # the gap is filled
        ((0.3, 0.3, 0.4, 0.0), (0.1, 0.1, 0.1, 0.1), (TWO,)),  # never empty
        ((0.45, 0.55, 0.0, 0.0), (0.6, 0.4, 0.4, 0.4), (ZERO, ONE)),  # the verdict belongs to it
    ],
)
def test_sets_of_worked_examples(probabilities, thresholds, expected):
    assert prediction_set(probabilities, sets(*thresholds)) == expected


def test_a_class_that_no_patch_calibrated_is_said_and_not_in_every_set():
    labels = np.repeat([1, 2, 3], 20)
    found = calibrate(0.6 * np.eye(4)[labels] + 0.1, labels, "no 0")
    assert prediction_set((0.1, 0.1, 0.7, 0.1), found) == (TWO,)
    assert prediction_set((0.7, 0.1, 0.1, 0.1), found)[0] == ZERO, "the verdict is in its set"
    assert uncalibrated(found) == "no 0 was calibrated"
    assert uncalibrated(sets(0.5, 0.5, 0.5, 0.5)) is None


@given(ROWS, THRESHOLDS)
def test_a_set_is_contiguous_holds_the_verdict_and_all_that_conform(row, thresholds):
    found = [int(score) for score in prediction_set(row, sets(*thresholds))]
    assert found == list(range(found[0], found[-1] + 1))
    assert int(np.argmax(row)) in found
    assert {k for k in range(4) if 1 - row[k] <= thresholds[k]} <= set(found)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2])
def test_every_class_is_covered_as_promised_on_patches_drawn_alike(alpha):
    rng = np.random.default_rng(3)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.choice(4, n, p=(0.6, 0.2, 0.15, 0.05))
        logits = rng.normal(0, 1.2, (n, 4)) + 2.0 * np.eye(4)[labels]
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), labels

    found = calibrate(*drawn(8000), "drawn", alpha)
    probabilities, labels = drawn(20000)
    covered = prediction_sets(probabilities, found)[np.arange(len(labels)), labels]
    for k in range(4):
        assert covered[labels == k].mean() >= 1 - alpha - 0.025


def test_sets_in_words():
    assert set_text((ONE,)) == "1+"
    assert set_text((ONE, TWO)) == "1+ or 2+"
    assert set_text((ZERO, ONE, TWO)) == "0, 1+ or 2+"


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(ValueError, match="one label"):
        calibrate(np.ones((2, 4)), np.array([0]), "x")
    with pytest.raises(ValueError, match="alpha"):
        calibrate(np.ones((1, 4)), np.array([0]), "x", alpha=1.0)
