"""Fleiss' kappa: how far several reviewers of the same patches agree beyond chance.

Fleiss, "Measuring nominal scale agreement among many raters", Psychol Bull 76:378, 1971; with
unequal numbers of raters as in Fleiss and Cuzick, Appl Psychol Meas 3:537, 1979. A nominal
measure: 0 against 3+ weighs no more than 0 against 1+.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from her2core.evaluation.intervals import (
    Floats,
    Interval,
    group_codes,
    interval_of,
    resample,
    undefined,
    weight_blocks,
)
from her2core.reviews.records import Review
from her2core.scores import HER2Score


def fleiss_kappa(counts: Floats, weights: Floats) -> Floats:
    """Fleiss' kappa of weighted subjects.

    Args:
        counts: (n, categories), how many raters put each subject there; at least two in a row.
        weights: (b, n), how often each subject counts.

    Returns:
        (b,); NaN where all raters chose one and the same category throughout.
    """
    raters = counts.sum(axis=1)
    # a subject weighs by the others who saw it; for equal numbers this is the plain mean
    agreement = (counts * (counts - 1)).sum(axis=1) / raters
    observed = weights @ agreement / (weights @ (raters - 1))
    shares = weights @ counts / (weights @ raters)[:, None]
    chance = (shares**2).sum(axis=1)
    room = 1.0 - chance
    return np.asarray(
        np.divide(observed - chance, room, out=np.full(len(room), np.nan), where=room > 1e-12)
    )


def reviewers_kappa(
    reviews: Iterable[Review], n_boot: int = 2000, seed: int = 0
) -> tuple[Interval, int]:
    """Fleiss' kappa of the reviewers over the patches that several of them scored.

    Args:
        reviews: current reviews; of a reviewer's several reviews of one square the latest counts.
        n_boot, seed: resampling of patches.

    Returns:
        The figure, whose n counts the squares scored by two or more reviewers, and how many
        reviewers took part.
    """
    latest: dict[tuple[str, object], dict[str, HER2Score]] = {}
    for review in sorted(reviews, key=lambda review: review.id):
        place = (review.patch.sha256, review.square)
        latest.setdefault(place, {})[review.reviewer] = review.own_score
    shared = {place: scores for place, scores in latest.items() if len(scores) > 1}
    people = len({name for scores in shared.values() for name in scores})
    if not shared:
        return undefined(0, "No patch has been scored by two reviewers yet."), 0
    counts = np.array(
        [np.bincount(list(map(int, s.values())), minlength=4) for s in shared.values()], float
    )
    codes = group_codes(sha256 for sha256, _ in shared)
    n = len(shared)
    value = float(fleiss_kappa(counts, np.ones((1, n)))[0])
    if not np.isfinite(value):
        return undefined(n, "Undefined: all gave one and the same score."), people
    resampled = resample(partial(fleiss_kappa, counts), weight_blocks(codes, n_boot, seed))
    patches = int(codes.max()) + 1
    return interval_of(value, resampled, n, patches, share=False, units="patches"), people
