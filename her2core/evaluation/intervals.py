"""A figure with its interval, and the bootstrap over groups that gives it.

A resample draws whole groups with replacement, so that values which belong together (several
reviews of one patch, several patches of one core) stay together and do not feign independence.
Every interval of a figure comes from `interval_of`, by one rule for the fewest groups.

Source: Efron, "Bootstrap methods: another look at the jackknife", Ann Stat 1979; percentile
interval; whole groups as units: Davison and Hinkley, "Bootstrap Methods and their Application",
1997.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.common.interval_level import TAILS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# With fewer groups an interval would feign knowledge.
MIN_GROUPS = 5
# Resamples in which a figure is undefined say nothing; beyond this share neither do the others.
_MAX_UNDEFINED_SHARE = 0.05
_CHUNK_CELLS = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A figure with its confidence interval, as wide as `common.interval_level` says.

    Attributes:
        value: the figure, or None where it is undefined.
        low, high: bounds of the interval, or None where no interval can be given.
        n: number of pairs or patches the figure rests on.
        reason: one sentence on why the value or the interval is missing, or how the interval
            was computed where not by bootstrap; otherwise empty.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""

    @property
    def reach(self) -> tuple[float, float]:
        """How far the interval goes below and above the figure; 0 where there is none."""
        if self.value is None or self.low is None or self.high is None:
            return 0.0, 0.0
        return max(0.0, self.value - self.low), max(0.0, self.high - self.value)


def undefined(n: int, reason: str) -> Interval:
    """A figure that has no value."""
    return Interval(None, None, None, n, reason)


def interval_of(
    value: float,
    resampled: Floats,
    n: int,
    n_groups: int,
    *,
    share: bool,
    units: str = "groups",
    counted: str = "patch",
) -> Interval:
    """A defined figure with the interval its resamples allow, or why there is none.

    Args:
        value: the figure.
        resampled: its value in each resample, NaN where undefined.
        n: number of patches it rests on.
        n_groups: number of independent groups among these; below `MIN_GROUPS` no interval.
        share: it is a share in [0, 1]. Where every patch counts (or none) resampling cannot vary
            and would claim certainty; the interval is then the exact binomial one (Clopper and
            Pearson 1934) over the number of groups.
        units: what the groups are called.
        counted: what a share counts.
    """

    def without(reason: str) -> Interval:
        return Interval(value, None, None, n, f"No interval: {reason}.")

    if n_groups < MIN_GROUPS:
        return without(f"{n_groups} of the {MIN_GROUPS} {units} it needs at least")
    if share and value in (0.0, 1.0):
        edge = float(TAILS[0] ** (1.0 / n_groups))
        low, high = (edge, 1.0) if value else (0.0, 1.0 - edge)
        every = "every" if value else "no"
        reason = (
            f"Exact binomial interval over {n_groups} {units}, because {every} {counted} counts."
        )
        return Interval(value, low, high, n, reason)
    defined = resampled[np.isfinite(resampled)]
    if len(defined) < max(1.0, (1 - _MAX_UNDEFINED_SHARE) * len(resampled)):
        return without(f"it is undefined in too many resamples of the {units}")
    low, high = map(float, np.quantile(defined, TAILS))
    if high - low < 1e-12:  # every resample came out alike, which is no certainty
        return without("resampling cannot vary it")
    return Interval(value, low, high, n)


def group_codes(groups: Iterable[Hashable]) -> Ints:
    """Number of each item's group, counted from 0 in order of appearance: (n,)."""
    position: dict[Hashable, int] = {}
    return np.array([position.setdefault(group, len(position)) for group in groups], np.int64)


def patch_codes(groups: Sequence[str], patches: Sequence[Hashable]) -> Ints:
    """Number of each patch's group: (n,); a patch without one ("") is a group of its own."""
    return group_codes(
        ("group", group) if group else patch for group, patch in zip(groups, patches, strict=True)
    )


def weight_blocks(codes: Ints, n_boot: int, seed: int) -> Iterator[Floats]:
    """How often each item occurs in each resample of whole groups, some resamples at a time.

    The same arguments give the same resamples, so that two readers of the same items can be
    compared pairwise.

    Args:
        codes: (n,), the group of each item as `group_codes` numbers them; n >= 1.
        n_boot: resamples in all.
        seed: seed of the random generator.

    Yields:
        Arrays (b, n) of whole numbers; all items of a group have the same weight in a row.
    """
    n_groups = int(codes.max()) + 1
    rng = np.random.default_rng(seed)
    even = np.full(n_groups, 1.0 / n_groups)
    rows_at_once = max(1, _CHUNK_CELLS // len(codes))
    for start in range(0, n_boot, rows_at_once):
        size = min(rows_at_once, n_boot - start)
        counts = rng.multinomial(n_groups, even, size=size).astype(np.float64)
        yield np.ascontiguousarray(counts[:, codes])


def resample(statistic: Callable[[Floats], Floats], blocks: Iterable[Floats]) -> Floats:
    """A statistic of weights (b, n) in every resample of `weight_blocks`, one after the other."""
    return np.concatenate([statistic(weights) for weights in blocks])


def resampled_totals(distinct: Ints, frequency: Ints, n_boot: int, seed: int) -> Floats:
    """Total counts (n_boot, cells) of resamples of groups that are known by their counts alone.

    Groups with the same counts are interchangeable, so the distinct count tables are drawn with
    multinomial weights: the same distribution as drawing groups, at a cost that hardly grows with
    their number.

    Args:
        distinct: count tables, shape (kinds, cells), as of `distinct_rows`; at least one.
        frequency: how many groups have each, shape (kinds,).
        n_boot: number of resamples.
        seed: seed of the random generator; the same seed gives the same resamples.
    """
    n_groups = int(frequency.sum())
    rng = np.random.default_rng(seed)
    rows_at_once = max(1, _CHUNK_CELLS // len(distinct))
    totals = np.empty((n_boot, distinct.shape[1]), dtype=np.float64)
    for start in range(0, n_boot, rows_at_once):
        stop = min(start + rows_at_once, n_boot)
        counts = rng.multinomial(n_groups, frequency / n_groups, size=stop - start)
        totals[start:stop] = counts @ distinct
    return totals


def distinct_rows(tables: Ints) -> tuple[Ints, Ints]:
    """The distinct rows in order, and how often each occurs."""
    cells = tables.shape[1]
    if cells > 16 or tables.max(initial=0) > 15 or tables.min(initial=0) < 0:
        rows, frequency = np.unique(tables, axis=0, return_counts=True)
        return rows, frequency
    # one number for a row, four bits for a count: sorted many times faster than rows are
    places = np.uint64(4) * np.arange(cells - 1, -1, -1, dtype=np.uint64)
    packed = (tables.astype(np.uint64) << places).sum(axis=1, dtype=np.uint64)
    _, first, frequency = np.unique(packed, return_index=True, return_counts=True)
    return tables[first], frequency
