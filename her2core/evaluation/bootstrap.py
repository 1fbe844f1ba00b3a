"""Bootstrap over groups of counts: the one place where the product draws resamples.

A resample draws whole groups with replacement, so that values which belong together (several
reviews of one patch) stay together and do not feign independence. Groups with the same counts are
interchangeable, so resamples are drawn over the distinct count tables with multinomial weights:
the same distribution as drawing indices, at a cost that hardly grows with the number of groups.

Source: Efron, "Bootstrap methods: another look at the jackknife", Ann Stat 1979; percentile
interval; whole groups as units: Davison and Hinkley, "Bootstrap Methods and their Application",
1997.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

_CHUNK_CELLS = 4_000_000


def resampled_totals(
    tables: npt.NDArray[np.int64], n_boot: int, seed: int
) -> npt.NDArray[np.float64]:
    """Total counts of `n_boot` resamples of the groups.

    Args:
        tables: counts, shape (groups, cells); at least one group.
        n_boot: number of resamples.
        seed: seed of the random generator; the same seed gives the same resamples.

    Returns:
        Array of shape (n_boot, cells): per resample the sum over the drawn groups' counts.
    """
    distinct, frequency = np.unique(tables, axis=0, return_counts=True)
    n_groups = int(tables.shape[0])
    rng = np.random.default_rng(seed)
    rows_at_once = max(1, _CHUNK_CELLS // len(distinct))
    totals = np.empty((n_boot, tables.shape[1]), dtype=np.float64)
    for start in range(0, n_boot, rows_at_once):
        stop = min(start + rows_at_once, n_boot)
        drawn = rng.multinomial(n_groups, frequency / n_groups, size=stop - start)
        totals[start:stop] = drawn @ distinct
    return totals


def group_codes(groups: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    """Number of each item's group, counted from 0 in order of appearance: (n,)."""
    position: dict[Hashable, int] = {}
    return np.array([position.setdefault(group, len(position)) for group in groups], np.int64)


def weight_blocks(
    codes: npt.NDArray[np.int64], n_boot: int, seed: int
) -> Iterator[npt.NDArray[np.float64]]:
    """How often each item occurs in each resample of whole groups, some resamples at a time.

    For figures which, unlike counts, need every item (areas under curves). The same arguments give
    the same resamples, so that two readers of the same items can be compared pairwise.

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
        drawn = rng.multinomial(n_groups, even, size=size).astype(np.float64)
        yield np.ascontiguousarray(drawn[:, codes])


def percentile_interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of finite resampled values: a 95 % interval."""
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
