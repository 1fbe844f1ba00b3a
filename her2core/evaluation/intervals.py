"""The interval that resamples of the groups allow a figure, or why there is none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from her2core.evaluation.agreement import MIN_GROUPS, Interval, between

Floats = npt.NDArray[np.float64]

_MAX_UNDEFINED_SHARE = 0.05


def interval_of(
    value: float,
    resampled: Floats,
    n: int,
    n_groups: int,
    *,
    share: bool,
    units: str = "groups",
) -> Interval:
    """A defined figure with the interval its resamples allow, or why there is none.

    Args:
        value: the figure.
        resampled: its value in each resample, NaN where undefined.
        n: number of patches it rests on.
        n_groups: number of independent groups among these.
        share: it is a share in [0, 1]. Where every patch counts (or none) resampling cannot vary
            and would claim certainty; the interval is then the exact binomial one (Clopper and
            Pearson 1934) over the number of groups.
        units: what the groups are called.
    """
    if n_groups < MIN_GROUPS:
        few = f"No interval: {n_groups} of the {MIN_GROUPS} {units} it needs at least."
        return Interval(value, None, None, n, few)
    if share and value in (0.0, 1.0):
        edge = float(0.025 ** (1.0 / n_groups))
        low, high = (edge, 1.0) if value else (0.0, 1.0 - edge)
        every = "every" if value else "no"
        reason = f"Exact binomial interval over {n_groups} {units}, because {every} patch counts."
        return Interval(value, low, high, n, reason)
    defined = resampled[np.isfinite(resampled)]
    if len(defined) < max(1.0, (1 - _MAX_UNDEFINED_SHARE) * len(resampled)):
        return Interval(
            value,
            None,
            None,
            n,
            "No interval: it is undefined in too many resamples of the groups.",
        )
    return between(value, defined, n)
