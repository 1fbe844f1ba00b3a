"""How good one model is on a labelled set: figures with 95 % intervals resampled by group."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import numpy.typing as npt

from her2core.evaluation.agreement import quadratic_kappa
from her2core.evaluation.bootstrap import (
    group_codes,
    percentile_interval,
    resampled_totals,
    weight_blocks,
)
from her2core.evaluation.figures import Sample, measure
from her2core.models.card import Metric
from her2core.models.conformal import COVERAGE, SET_SIZE, ConformalSets, prediction_sets
from her2core.scores import HER2Score

Confusions = npt.NDArray[np.float64]


def macro_f1(confusions: Confusions) -> npt.NDArray[np.float64]:
    """Mean F1 of the four classes, of counts (..., 4, 4) with truth in rows; absent class: 0."""
    right = np.einsum("...ii->...i", confusions)
    named = confusions.sum(axis=-2) + confusions.sum(axis=-1)
    f1 = np.divide(2 * right, named, out=np.zeros_like(right), where=named > 0)
    return np.asarray(f1.mean(axis=-1))


def _share_within(grades: int) -> Callable[[Confusions], npt.NDArray[np.float64]]:
    gap = np.abs(np.arange(4)[:, None] - np.arange(4)[None, :])

    def share(confusions: Confusions) -> npt.NDArray[np.float64]:
        near = (confusions * (gap <= grades)).sum(axis=(-2, -1))
        return np.asarray(near / confusions.sum(axis=(-2, -1)))

    return share


FIGURES: dict[str, Callable[[Confusions], npt.NDArray[np.float64]]] = {
    "exact": _share_within(0),
    "within one grade": _share_within(1),
    "macro F1": macro_f1,
    "quadratic-weighted kappa": quadratic_kappa,
}


def labelled_set_metrics(
    predicted: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    groups: Sequence[Hashable],
    name: str,
    n_boot: int = 2000,
) -> tuple[Metric, ...]:
    """Exact and within-one share, macro F1 and quadratic-weighted kappa on a labelled set.

    Args:
        predicted, labels: int (n,), classes 0 to 3, n >= 1.
        groups: what each patch belongs to (patient, slide, core); whole groups are resampled.
            With fewer than five groups no interval is given: it would feign knowledge.
        name: name of the set, for the metric.
        n_boot: resamples.

    Returns:
        One metric for each figure that is defined: kappa is not where only one score occurs.
    """
    codes = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    member = np.array([codes[group] for group in groups])
    tables = np.zeros((len(codes), 16), np.int64)
    np.add.at(tables, (member, labels * 4 + predicted), 1)
    total = tables.sum(axis=0).reshape(4, 4).astype(float)
    resamples = resampled_totals(tables, n_boot, 0).reshape(n_boot, 4, 4)
    found = []
    for figure, function in FIGURES.items():
        value = float(function(total))
        if not np.isfinite(value):
            continue
        drawn = function(resamples)
        defined = drawn[np.isfinite(drawn)]
        enough = len(codes) >= 5 and len(defined) > 0
        low, high = percentile_interval(defined) if enough else (None, None)
        found.append(Metric(figure, name, value, low, high, len(labels)))
    return tuple(found)


def set_metrics(
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    groups: Sequence[str],
    sets: ConformalSets,
    name: str,
    n_boot: int = 1000,
) -> tuple[Metric, ...]:
    """How often prediction sets hold the label, overall and per class, and their mean size.

    Args:
        probabilities: (n, 4), after temperature, of patches no training or calibration saw.
        labels: int (n,), classes 0 to 3, n >= 1.
        groups: (n,), resampled whole; a patch whose group is "" counts as a group of its own.
        sets: the calibrated thresholds.
        name: name of the set, for the metrics.
        n_boot: resamples.
    """
    codes = group_codes([group or index for index, group in enumerate(groups)])
    members = prediction_sets(probabilities, sets)
    sample = Sample(labels, probabilities, probabilities, codes, members)
    titles = {"set_coverage": COVERAGE, "set_size": SET_SIZE}
    return tuple(
        Metric(
            f"{titles[figure.name]} of {figure.of}" if figure.of else titles[figure.name],
            name,
            figure.value.value,
            figure.value.low,
            figure.value.high,
            figure.value.n,
        )
        for figure in measure(sample, weight_blocks(codes, n_boot, 0))
        if figure.name in titles and figure.value.value is not None
    )


def core_score(predicted: Sequence[HER2Score]) -> HER2Score:
    """The core's score from its tissue patches: the highest reached by more than 10 % of them.

    The ASCO/CAP 10 % rule, applied to patches in place of cells.

    Raises:
        ValueError: there is no patch; a core without tissue has no score.
    """
    if not predicted:
        raise ValueError("A core without tissue patches has no score.")
    for score in reversed(HER2Score):
        if sum(p >= score for p in predicted) > 0.10 * len(predicted):
            return score
    raise AssertionError("every patch reaches 0")
