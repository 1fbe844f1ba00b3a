"""How good one model is on a labelled set, as a bundle's card states it."""

from __future__ import annotations

from types import MappingProxyType

from her2core.evaluation.figures import Sample, measure
from her2core.evaluation.intervals import weight_blocks
from her2core.models.bundles.card import Metric
from her2core.models.conformal import COVERAGE, SET_SIZE

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


def set_metrics(sample: Sample, name: str, n_boot: int = 1000) -> tuple[Metric, ...]:
    """Agreement, calibration and prediction sets on a labelled set.

    The figures and intervals are those of an evaluation report (see `figures.measure`).

    Args:
        sample: predictions for patches that no training or calibration saw.
        name: name of the set, for the metrics.
        n_boot: resamples.

    Returns:
        One metric for each figure that is defined: kappa is not where only one score occurs, macro
        F1 not where a class is missing.
    """
    order = list(_TITLES)
    figures = measure(sample, weight_blocks(sample.codes, n_boot, 0))
    titled = sorted(
        (figure for figure in figures if figure.name in _TITLES),
        key=lambda figure: order.index(figure.name),
    )
    return tuple(
        Metric(
            f"{_TITLES[figure.name]} of {figure.of}" if figure.of else _TITLES[figure.name],
            name,
            value,
            figure.value.low,
            figure.value.high,
            figure.value.n,
        )
        for figure in titled
        if (value := figure.value.value) is not None
    )
