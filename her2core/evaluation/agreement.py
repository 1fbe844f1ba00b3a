"""How far two readers of the same patches agree, with intervals that admit how little is known.

`agreement` compares two equally long lists of scores; `comparisons` makes such lists of reviews.

Quadratic-weighted kappa: Cohen, "Weighted kappa: nominal scale agreement with provision for scaled
disagreement or partial credit", Psychol Bull 70:213, 1968. A disagreement of d grades weighs d²,
and kappa = 1 - observed weighted disagreement / weighted disagreement expected by chance.

Agreement is not accuracy: no comparison here knows the true score.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from her2core.evaluation.intervals import (
    Floats,
    Interval,
    distinct_rows,
    interval_of,
    resampled_totals,
    undefined,
)
from her2core.scores import HER2Score

Confusion = tuple[tuple[int, int, int, int], ...]

N_BOOT = 2000
_N = len(HER2Score)
_GAP = np.abs(np.arange(_N)[:, None] - np.arange(_N)[None, :])


@dataclass(frozen=True)
class AgreementReport:
    """Agreement of two readers.

    Attributes:
        n: number of pairs.
        groups: number of independent units resampled (patches); equals n without grouping.
        confusion: 4 x 4 counts; row: first reader's score, column: second reader's score.
        exact: share of pairs with the same score, in [0, 1].
        within_one: share of pairs at most one grade apart, in [0, 1].
        kappa: quadratic-weighted kappa, in [-1, 1].
        not_assessable: further items to which a reader gave no score, for want of tumour cells.
    """

    n: int
    groups: int
    confusion: Confusion
    exact: Interval
    within_one: Interval
    kappa: Interval
    not_assessable: int = 0


def agreement(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    n_boot: int = N_BOOT,
    seed: int = 0,
    units: str = "patches",
    counted_as: str = "pair",
) -> AgreementReport:
    """Compare two readers' scores of the same items.

    Args:
        first: (n,), first reader's scores, 0 to 3 (rows of the confusion matrix).
        second: (n,), second reader's scores of the same items, in the same order (columns).
        groups: (n,), what each pair belongs to, e.g. its patch; pairs of one group are resampled
            together. By default every pair stands alone.
        n_boot: bootstrap resamples, at least 100.
        seed: seed of the resampling.
        units, counted_as: what groups and pairs are called where an interval is explained.

    Returns:
        The report; its intervals are those of `intervals.interval_of`.

    Raises:
        ValueError: lengths differ, or n_boot is below 100.
    """
    one, other = np.asarray(first, np.int64), np.asarray(second, np.int64)
    n = len(one)
    codes = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    if not n == len(other) == len(codes):
        raise ValueError("Agreement needs the two readers' scores, and groups, of the same items.")
    if n_boot < 100:
        raise ValueError(f"Agreement needs at least 100 resamples, not {n_boot}.")
    if n == 0:
        nothing = undefined(0, "There is nothing to compare yet.")
        zero = _as_confusion(np.zeros((_N, _N), dtype=np.int64))
        return AgreementReport(0, 0, zero, nothing, nothing, nothing)

    tables = np.zeros((int(codes.max()) + 1, _N * _N), dtype=np.int64)
    np.add.at(tables, (codes, one * _N + other), 1)
    counts = tables.sum(axis=0).reshape(_N, _N)
    distinct, frequency = distinct_rows(tables)
    totals = _totals(distinct.tobytes(), frequency.tobytes(), n_boot, seed)
    n_groups = len(tables)

    def share(largest_gap: int) -> Interval:
        counted = largest_gap >= _GAP
        shares = totals[:, counted].sum(axis=1) / totals.sum(axis=(1, 2))
        value = int(counts[counted].sum()) / n
        return interval_of(value, shares, n, n_groups, share=True, units=units, counted=counted_as)

    return AgreementReport(
        n=n,
        groups=n_groups,
        confusion=_as_confusion(counts),
        exact=share(0),
        within_one=share(1),
        kappa=_kappa_interval(counts, quadratic_kappa(totals), n_groups, units),
    )


@lru_cache(maxsize=256)
def _totals(distinct: bytes, frequency: bytes, n_boot: int, seed: int) -> Floats:
    """Resampled confusions (n_boot, 4, 4); remembered, because a page asks again at each click."""
    rows = np.frombuffer(distinct, dtype=np.int64).reshape(-1, _N * _N)
    times = np.frombuffer(frequency, dtype=np.int64)
    totals = resampled_totals(rows, times, n_boot, seed).reshape(n_boot, _N, _N)
    totals.flags.writeable = False
    return totals


def quadratic_kappa(confusions: Floats) -> Floats:
    """Quadratic-weighted kappa of many confusion matrices at once (Cohen 1968).

    Args:
        confusions: counts >= 0, shape (..., 4, 4).

    Returns:
        Kappa, shape (...); NaN where it is undefined, i.e. both readers gave one and the same
        score throughout, so that no disagreement was to be expected by chance.
    """
    weights = _GAP.astype(np.float64) ** 2
    total = confusions.sum(axis=(-2, -1))
    rows = confusions.sum(axis=-1)
    columns = confusions.sum(axis=-2)
    observed = (confusions * weights).sum(axis=(-2, -1))
    # Kept as a product of counts, so that "no chance disagreement" is an exact zero.
    chance = np.einsum("...i,ij,...j->...", rows, weights, columns)
    defined = chance > 0
    ratio = np.divide(observed * total, chance, out=np.full(chance.shape, np.nan), where=defined)
    return np.asarray(1.0 - ratio)


def confusions(
    labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], weights: Floats
) -> Floats:
    """Counts (b, 4, 4) of items (n,) that occur by the weights (b, n), labels in rows."""
    cells = np.eye(_N * _N)[labels * _N + predicted]
    return np.asarray((weights @ cells).reshape(-1, _N, _N))


def _as_confusion(counts: npt.NDArray[np.int64]) -> Confusion:
    return tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in counts)


def _kappa_interval(
    counts: npt.NDArray[np.int64],
    resampled: Floats,
    n_groups: int,
    units: str,
) -> Interval:
    n = int(counts.sum())
    value = float(quadratic_kappa(counts.astype(np.float64)))
    if np.isnan(value):
        return undefined(n, "Kappa is undefined: only one score occurs.")
    if np.count_nonzero(counts.sum(axis=0)) == 1 or np.count_nonzero(counts.sum(axis=1)) == 1:
        reason = "One side gave the same score throughout, which makes kappa 0 whatever the other."
        return Interval(value, None, None, n, reason)
    return interval_of(value, resampled, n, n_groups, share=False, units=units)
