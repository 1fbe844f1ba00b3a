"""Two readers on the same patches: who is right where the other is wrong, and by how much.

McNemar, "Note on the sampling error of the difference between correlated proportions or
percentages", Psychometrika 12:153, 1947; exact binomial form. The test takes patches for
independent; the differences below it are resampled by group and do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import binomtest

from her2core.evaluation.agreement import confusions, quadratic_kappa
from her2core.evaluation.figures import Sample
from her2core.evaluation.intervals import Floats, Interval, interval_of, resample, undefined


@dataclass(frozen=True)
class PairComparison:
    """First against second reader.

    Attributes:
        first, second: keys of the readers.
        n: patches both read.
        only_first_right, only_second_right: patches which one of them alone got right.
        p_value: exact two-sided McNemar p; None where they are right on the same patches.
        accuracy_difference, kappa_difference: second minus first, with paired interval.
    """

    first: str
    second: str
    n: int
    only_first_right: int
    only_second_right: int
    p_value: float | None
    accuracy_difference: Interval
    kappa_difference: Interval


def compare(
    names: tuple[str, str], first: Sample, second: Sample, blocks: Iterable[Floats]
) -> PairComparison:
    """Compare two readers.

    Args:
        names: keys of the readers.
        first, second: what they predicted for the same patches, in the same order.
        blocks: resampling weights; each resample is used for both readers.
    """
    first_right = first.predicted == first.labels
    second_right = second.predicted == second.labels
    ones = np.ones((1, len(first.labels)))
    own = _differences(first, second, ones)
    resampled = resample(partial(_differences, first, second), blocks)
    groups = int(first.codes.max()) + 1
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())

    def interval(column: int) -> Interval:
        value = float(own[0, column])
        if not np.isfinite(value):
            return undefined(len(first.labels), "Kappa is undefined: only one score occurs.")
        return interval_of(value, resampled[:, column], len(first.labels), groups, share=False)

    return PairComparison(
        first=names[0],
        second=names[1],
        n=len(first.labels),
        only_first_right=only_first,
        only_second_right=only_second,
        p_value=mcnemar_p(only_first, only_second),
        accuracy_difference=interval(0),
        kappa_difference=interval(1),
    )


def mcnemar_p(only_first: int, only_second: int) -> float | None:
    """Exact two-sided p of McNemar's test; None where nothing is discordant."""
    discordant = only_first + only_second
    if discordant == 0:
        return None
    return float(binomtest(only_first, discordant, 0.5).pvalue)


def brier_difference(first: Sample, second: Sample, blocks: Iterable[Floats]) -> Interval:
    """Brier score of the second reader minus that of the first, with paired interval.

    Below 0 the second is better: more often right, or surer where it is right (Brier, "Verification
    of forecasts expressed in terms of probability", Mon Weather Rev 78:1, 1950).
    """
    truth = np.eye(4)[first.labels]
    gap = ((second.probabilities - truth) ** 2 - (first.probabilities - truth) ** 2).sum(axis=1)
    resampled = resample(lambda weights: (weights @ gap) / weights.sum(axis=1), blocks)
    groups = int(first.codes.max()) + 1
    return interval_of(float(gap.mean()), resampled, len(gap), groups, share=False)


def _differences(first: Sample, second: Sample, weights: Floats) -> Floats:
    """(b, 2): accuracy and kappa, second minus first."""
    one = confusions(first.labels, first.predicted, weights)
    two = confusions(second.labels, second.predicted, weights)
    right = np.einsum("bii->b", two) - np.einsum("bii->b", one)
    kappa = quadratic_kappa(two) - quadratic_kappa(one)
    return np.stack([right / weights.sum(axis=1), kappa], axis=1)
