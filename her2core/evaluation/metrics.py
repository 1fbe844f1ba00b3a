"""How good one model is on a labelled set, as a bundle's card states it."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from her2core.evaluation.figures import Sample, measure
from her2core.evaluation.intervals import patch_codes, weight_blocks
from her2core.models.bundles.card import Metric
from her2core.models.conformal import COVERAGE, SET_SIZE, ConformalSets, prediction_sets

_TITLES = MappingProxyType(
    {
        "accuracy": "exact",
        "within_one": "within one grade",
        "macro_f1": "macro F1",
        "macro_f1_present": "macro F1 of the classes present",
        "kappa": "quadratic-weighted kappa",
        "ece_before": "calibration error before temperature",
        "ece": "calibration error",
        "brier": "Brier score",
        "set_coverage": COVERAGE,
        "set_size": SET_SIZE,
    }
)


def set_metrics(
    probabilities: npt.NDArray[np.float64],
    before: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    groups: Sequence[str],
    sets: ConformalSets | None,
    name: str,
    n_boot: int = 1000,
) -> tuple[Metric, ...]:
    """Agreement, calibration and prediction sets on a labelled set.

    The figures and intervals are those of an evaluation report (see `figures.measure`).

    Args:
        probabilities: (n, 4), after temperature, of patches no training or calibration saw.
        before: (n, 4), the same without temperature.
        labels: int (n,), classes 0 to 3, n >= 1.
        groups: (n,), resampled whole; a patch whose group is "" counts as a group of its own.
        sets: the calibrated thresholds; None leaves their figures out.
        name: name of the set, for the metrics.
        n_boot: resamples.

    Returns:
        One metric for each figure that is defined: kappa is not where only one score occurs, macro
        F1 not where a class is missing.
    """
    codes = patch_codes(groups, range(len(groups)))
    members = None if sets is None else prediction_sets(probabilities, sets)
    return sample_metrics(Sample(labels, probabilities, before, codes, members), name, n_boot)


def sample_metrics(sample: Sample, name: str, n_boot: int = 1000) -> tuple[Metric, ...]:
    """The same of a sample, whatever its prediction sets were made by."""
    figures = {
        (figure.name, figure.of): figure.value
        for figure in measure(sample, weight_blocks(sample.codes, n_boot, 0))
    }
    titles = list(_TITLES)
    ordered = sorted(
        (key for key in figures if key[0] in _TITLES), key=lambda key: titles.index(key[0])
    )
    return tuple(
        Metric(
            f"{_TITLES[what]} of {of}" if of else _TITLES[what],
            name,
            value,
            figures[what, of].low,
            figures[what, of].high,
            figures[what, of].n,
        )
        for what, of in ordered
        if (value := figures[what, of].value) is not None
    )
