"""Figures on a labelled set, checked against scikit-learn and worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from her2core.evaluation.figures import Sample
from her2core.evaluation.intervals import patch_codes
from her2core.evaluation.metrics import set_metrics
from her2core.models.bundles.card import Metric
from her2core.models.temperature import fit_temperature
from her2core.models.temperature import probabilities as tempered
from her2core.scores import HER2Score, highest_reached
from tests.plain_calibration import expected_calibration_error

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=8, max_size=60)


def figures(predicted, labels, groups) -> dict[str, Metric]:
    """The metrics of a reader who is sure of each of its scores."""
    sure = np.eye(4)[predicted]
    codes = patch_codes(groups, range(len(groups)))
    found = set_metrics(Sample(np.array(labels), sure, sure, codes), "set", n_boot=200)
    assert {metric.set for metric in found} == {"set"}
    return {metric.name: metric for metric in found}


@given(PAIRS)
@settings(max_examples=60, deadline=None)
def test_figures_equal_scikit_learn(pairs):
    labels, predicted = np.array(pairs).T
    found = figures(predicted, labels, [str(i) for i in range(len(labels))])
    assert found["exact"].value == pytest.approx(accuracy_score(labels, predicted))
    if len(set(labels)) == 4:
        macro = f1_score(labels, predicted, average="macro", zero_division=0)
        assert found["macro F1"].value == pytest.approx(macro)
    else:
        assert "macro F1" not in found, "of a class that no patch has nothing is known"
    if len(set(labels) | set(predicted)) > 1:
        kappa = cohen_kappa_score(labels, predicted, weights="quadratic", labels=range(4))
        assert found["quadratic-weighted kappa"].value == pytest.approx(kappa)
    for metric in found.values():
        assert metric.n == len(labels)
        if metric.ci_low is not None:
            assert metric.ci_low <= metric.ci_high
        # a percentile interval of a share lies about it; that of a mean of ratios need not
        if metric.name in ("exact", "within one grade") and len(pairs) >= 30:
            assert metric.ci_low - 1e-9 <= metric.value <= metric.ci_high + 1e-9


def test_few_groups_get_no_interval():
    labels = np.array([0, 1, 2, 3] * 10)
    found = figures(labels, labels, ["a", "b", "c", "d"] * 10)
    for name in ("exact", "within one grade", "macro F1", "quadratic-weighted kappa"):
        assert found[name].value == 1.0
        assert found[name].ci_low is None
        assert found[name].ci_high is None


def test_all_right_is_no_certainty():
    labels = np.array([0, 1, 2, 3] * 8)
    found = figures(labels, labels, [str(index // 4) for index in range(32)])
    assert found["exact"].value == 1.0
    assert found["exact"].ci_low == pytest.approx(0.025 ** (1 / 8))


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([0] * 9 + [3], HER2Score.ZERO),
        ([0] * 8 + [3] * 2, HER2Score.THREE_PLUS),
        ([0] * 8 + [1, 2], HER2Score.ONE_PLUS),
        ([1] * 10, HER2Score.ONE_PLUS),
    ],
)
def test_a_core_has_the_highest_score_which_more_than_a_tenth_of_its_patches_reach(calls, expected):
    assert highest_reached([HER2Score(call) for call in calls]) is expected


def test_a_core_without_patches_has_no_score():
    with pytest.raises(ValueError, match="no score"):
        highest_reached([])


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_temperature_is_recovered_from_labels_drawn_with_it(truth):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20000, 4))
    probabilities = tempered(logits, truth)
    labels = (probabilities.cumsum(axis=1) < rng.random((20000, 1))).sum(axis=1).clip(0, 3)
    assert fit_temperature(logits, labels) == pytest.approx(truth, rel=0.05)
    assert expected_calibration_error(probabilities, labels) < 0.02


def test_calibration_error_of_a_worked_example():
    # ten patches at 0.8 confidence of which six are right: the gap is 0.2
    probabilities = np.tile([0.8, 0.1, 0.05, 0.05], (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.2)
