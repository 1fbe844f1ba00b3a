"""How far two readers of the same patches agree, with intervals that admit how little is known.

`agreement` compares two equally long lists of scores; `comparisons` makes such lists of reviews.

Quadratic-weighted kappa: Cohen, "Weighted kappa: nominal scale agreement with provision for scaled
disagreement or partial credit", Psychol Bull 70:213, 1968. A disagreement of d grades weighs d²,
and kappa = 1 - observed weighted disagreement / weighted disagreement expected by chance.

Agreement is not accuracy: no comparison here knows the true score.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.evaluation.bootstrap import percentile_interval, resampled_totals
from her2core.scores import HER2Score

Confusion = tuple[tuple[int, int, int, int], ...]

# With fewer groups an interval would feign knowledge.
MIN_GROUPS = 5
_N = len(HER2Score)
_GAP = np.abs(np.arange(_N)[:, None] - np.arange(_N)[None, :])
# Resamples in which kappa is undefined say nothing; beyond this share neither do the others.
_MAX_UNDEFINED_SHARE = 0.05


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % confidence interval.

    Attributes:
        value: the figure, or None where it is undefined.
        low, high: bounds of the interval, or None where no interval can be given.
        n: number of pairs the figure rests on.
        reason: one sentence on why the value or the interval is missing, or how the interval
            was found where not by bootstrap; otherwise empty.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""


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
    """

    n: int
    groups: int
    confusion: Confusion
    exact: Interval
    within_one: Interval
    kappa: Interval


def agreement(
    first: Sequence[HER2Score],
    second: Sequence[HER2Score],
    *,
    groups: Sequence[Hashable] | None = None,
    n_boot: int = 2000,
    seed: int = 0,
) -> AgreementReport:
    """Compare two readers' scores of the same items.

    Args:
        first: first reader's scores (rows of the confusion matrix).
        second: second reader's scores of the same items, in the same order (columns).
        groups: what each pair belongs to, e.g. its patch; pairs of one group are resampled
            together. By default every pair stands alone.
        n_boot: bootstrap resamples, at least 100.
        seed: seed of the resampling.

    Returns:
        The report. Intervals are 95 % percentile bootstrap intervals over groups. Where every pair
        counts (or none), resampling cannot vary and would claim certainty; the interval of a share
        is then the exact binomial one (Clopper and Pearson 1934) over the number of groups. Fewer
        than `MIN_GROUPS` groups allow no other interval.

    Raises:
        ValueError: lengths differ, or n_boot is below 100.
    """
    if len(first) != len(second) or (groups is not None and len(groups) != len(first)):
        raise ValueError("Agreement needs the two readers' scores, and groups, of the same items.")
    if n_boot < 100:
        raise ValueError(f"Agreement needs at least 100 resamples, not {n_boot}.")
    n = len(first)
    if n == 0:
        nothing = Interval(None, None, None, 0, "There is nothing to compare yet.")
        zero = _as_confusion(np.zeros((_N, _N), dtype=np.int64))
        return AgreementReport(0, 0, zero, nothing, nothing, nothing)

    tables = _tables(first, second, range(n) if groups is None else groups)
    counts = tables.sum(axis=0).reshape(_N, _N)
    totals = resampled_totals(tables, n_boot, seed).reshape(n_boot, _N, _N)
    n_groups = len(tables)
    return AgreementReport(
        n=n,
        groups=n_groups,
        confusion=_as_confusion(counts),
        exact=_share_interval(counts, totals, n_groups, largest_gap=0),
        within_one=_share_interval(counts, totals, n_groups, largest_gap=1),
        kappa=_kappa_interval(counts, totals, n_groups),
    )


def quadratic_kappa(confusions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
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


def _tables(
    first: Sequence[HER2Score], second: Sequence[HER2Score], groups: Iterable[Hashable]
) -> npt.NDArray[np.int64]:
    """Counts per group, shape (groups, 16)."""
    position: dict[Hashable, int] = {}
    rows = np.array([position.setdefault(group, len(position)) for group in groups])
    cells = np.array(first, dtype=np.int64) * _N + np.array(second, dtype=np.int64)
    tables = np.zeros((len(position), _N * _N), dtype=np.int64)
    np.add.at(tables, (rows, cells), 1)
    return tables


def _as_confusion(counts: npt.NDArray[np.int64]) -> Confusion:
    return tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in counts)


def _share_interval(
    counts: npt.NDArray[np.int64],
    totals: npt.NDArray[np.float64],
    n_groups: int,
    *,
    largest_gap: int,
) -> Interval:
    counted = largest_gap >= _GAP
    n = int(counts.sum())
    hits = int(counts[counted].sum())
    value = hits / n
    if hits in (0, n):
        edge = float(0.025 ** (1.0 / n_groups))
        low, high = (edge, 1.0) if hits else (0.0, 1.0 - edge)
        every = "every" if hits else "no"
        reason = f"Exact binomial interval over {_patches(n_groups)}, because {every} pair counts."
        return Interval(value, low, high, n, reason)
    if n_groups < MIN_GROUPS:
        return Interval(value, None, None, n, _too_few(n_groups))
    shares = totals[:, counted].sum(axis=1) / totals.sum(axis=(1, 2))
    return between(value, shares, n)


def _kappa_interval(
    counts: npt.NDArray[np.int64], totals: npt.NDArray[np.float64], n_groups: int
) -> Interval:
    n = int(counts.sum())
    value = float(quadratic_kappa(counts.astype(np.float64)))
    if np.isnan(value):
        return Interval(None, None, None, n, "Kappa is undefined: only one score occurs.")
    if np.count_nonzero(counts.sum(axis=0)) == 1 or np.count_nonzero(counts.sum(axis=1)) == 1:
        reason = "One side gave the same score throughout, which makes kappa 0 whatever the other."
        return Interval(value, None, None, n, reason)
    if n_groups < MIN_GROUPS:
        return Interval(value, None, None, n, _too_few(n_groups))
    if np.trace(counts) == n:
        reason = "No interval: every pair agrees, so resampling cannot vary."
        return Interval(value, None, None, n, reason)
    resampled = quadratic_kappa(totals)
    defined = resampled[~np.isnan(resampled)]
    if len(defined) < (1 - _MAX_UNDEFINED_SHARE) * len(resampled):
        reason = "No interval: too few pairs with different scores to resample kappa."
        return Interval(value, None, None, n, reason)
    return between(value, defined, n)


def between(value: float, resampled: npt.NDArray[np.float64], n: int) -> Interval:
    """The percentile interval, unless every resample came out alike: that is no certainty."""
    low, high = percentile_interval(resampled)
    if high - low < 1e-12:
        return Interval(value, None, None, n, "No interval: resampling cannot vary it.")
    return Interval(value, low, high, n)


def _too_few(n_groups: int) -> str:
    return f"No interval: {_patches(n_groups)} of the {MIN_GROUPS} it needs at least."


def _patches(count: int) -> str:
    return "1 patch" if count == 1 else f"{count} patches"
