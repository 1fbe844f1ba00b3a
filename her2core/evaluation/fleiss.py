"""Fleiss' kappa: how far several reviewers of the same patches agree beyond chance.

Fleiss, "Measuring nominal scale agreement among many raters", Psychol Bull 76:378, 1971; with
unequal numbers of raters as in Fleiss and Cuzick, Appl Psychol Meas 3:537, 1979. A nominal
measure: 0 against 3+ weighs no more than 0 against 1+.
"""

from __future__ import annotations

import numpy as np

from her2core.evaluation.agreement import N_BOOT
from her2core.evaluation.intervals import (
    Floats,
    Interval,
    Ints,
    distinct_rows,
    interval_of,
    resampled_totals,
    undefined,
)
from her2core.reviews.log_columns import LogColumns
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


def reviewers_kappa(log: LogColumns) -> tuple[Interval, int]:
    """Fleiss' kappa of the reviewers over the patches that several of them scored.

    Args:
        log: current reviews; of a reviewer's several reviews of one square the latest counts.

    Returns:
        The figure, whose n counts the squares scored by two or more reviewers, and how many
        reviewers took part.
    """
    # the latest entry of each reviewer and square: the first one met from the end
    reader = log.places * max(1, len(log.names)) + log.reviewers
    _, latest = np.unique(reader[::-1], return_index=True)
    latest = len(log) - 1 - latest
    squares, of_square = np.unique(log.places[latest], return_inverse=True)
    counts = np.zeros((len(squares), len(HER2Score)))
    np.add.at(counts, (of_square, log.own[latest]), 1)
    several = counts.sum(axis=1) > 1
    if not several.any():
        return undefined(0, "No patch has been scored by two reviewers yet."), 0
    people = len(np.unique(log.reviewers[latest][several[of_square]]))
    patch_of = np.zeros(len(squares), dtype=np.int64)
    patch_of[of_square] = log.patches[latest]
    counts = counts[several]
    _, codes = np.unique(patch_of[several], return_inverse=True)
    n = len(counts)
    value = float(fleiss_kappa(counts, np.ones((1, n)))[0])
    if not np.isfinite(value):
        return undefined(n, "Undefined: all gave one and the same score."), people
    resampled = _resampled(counts, codes)
    patches = int(codes.max()) + 1
    return interval_of(value, resampled, n, patches, share=False, units="patches"), people


def _resampled(counts: Floats, codes: Ints) -> Floats:
    """Kappa in `N_BOOT` resamples of patches.

    Patches whose squares were scored alike are interchangeable: the distinct ones are drawn with
    multinomial weights, as in `intervals.resampled_totals`.
    """
    kinds, kind_of = np.unique(counts, axis=0, return_inverse=True)
    squares = np.zeros((int(codes.max()) + 1, len(kinds)), dtype=np.int64)
    np.add.at(squares, (codes, kind_of.reshape(-1)), 1)
    return fleiss_kappa(kinds, resampled_totals(*distinct_rows(squares), N_BOOT, 0))
