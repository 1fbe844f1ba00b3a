"""Which scores are compared: recorded reviews become agreement reports.

A model with the reviewers, the models with each other, one reviewer at a time; blind reviews apart
from unblinded ones, because a reader who sees a verdict first is drawn towards it. Several reviews
of one patch, and several squares of it, are resampled together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from her2core.evaluation.agreement import N_BOOT, AgreementReport, agreement
from her2core.reviews.log_columns import Bools, Ints, LogColumns

Reading = Literal["blind", "unblinded"]


def current_reviews(
    log: LogColumns,
    *,
    reviewers: Sequence[str] = (),
    reading: Reading | None = None,
) -> LogColumns:
    """The entries that count: not corrected by a later one.

    Args:
        log: recorded reviews.
        reviewers: keep only these reviewers' reviews; all when empty.
        reading: keep only blind or only unblinded reviews; both when None.
    """
    kept = log.current
    if reviewers:
        codes = [code for code, name in enumerate(log.names) if name in reviewers]
        kept = kept & np.isin(log.reviewers, codes)
    if reading is not None:
        kept = kept & (log.blind == (reading == "blind"))
    return log.only(kept)


def model_versions(log: LogColumns) -> dict[str, tuple[str, ...]]:
    """Architecture -> ids of its models met in the reviews, the latest met first.

    Two bundles of one architecture are two readers; pooling them hides that.
    """
    versions = {}
    for architecture, readings in sorted(log.readings.items()):
        newest_first = readings.models[readings.models >= 0][::-1]
        codes, first = np.unique(newest_first, return_index=True)
        if len(codes):
            versions[architecture] = tuple(readings.ids[code] for code in codes[np.argsort(first)])
    return versions


def model_with_reviewers(
    log: LogColumns, architecture: str, *, model_id: str | None = None, n_boot: int = N_BOOT
) -> AgreementReport:
    """A model's verdicts (rows) with the reviewers' own scores (columns), as recorded.

    Args:
        log: reviews to compare; see `current_reviews`.
        architecture: "cnn" or "densenet121".
        model_id: one version of the model; all its versions pooled when None.
        n_boot: see `agreement`.

    Returns:
        The report; reviews without a verdict of this model are left out. Where the square was not
        assessable the model gave no score: those are counted apart.
    """
    scores = scores_of(log, architecture, model_id)
    return _report(log, scores >= 0, scores, log.own, n_boot)


def models_with_each_other(
    log: LogColumns,
    first: str,
    second: str,
    *,
    first_id: str | None = None,
    second_id: str | None = None,
) -> AgreementReport:
    """Two models' verdicts of the same squares (rows: `first`), each patch and square once.

    Where a square was reviewed more than once, the verdicts of the latest review count.
    Arguments as in `model_with_reviewers`.
    """
    one, other = scores_of(log, first, first_id), scores_of(log, second, second_id)
    both = np.flatnonzero((one >= 0) & (other >= 0))
    _, from_end = np.unique(log.places[both][::-1], return_index=True)
    latest = np.zeros(len(log), dtype=bool)
    latest[both[len(both) - 1 - from_end]] = True
    return _report(log, latest, one, other, N_BOOT)


def by_reviewer(
    log: LogColumns, architecture: str, *, model_id: str | None = None
) -> dict[str, AgreementReport]:
    """Reviewer -> a model's agreement with this reviewer alone, by name.

    Arguments as in `model_with_reviewers`.
    """
    codes = {log.names[code]: code for code in np.unique(log.reviewers)}
    return {
        name: model_with_reviewers(
            log.only(log.reviewers == codes[name]), architecture, model_id=model_id
        )
        for name in sorted(codes, key=str.casefold)
    }


def scores_of(log: LogColumns, architecture: str, model_id: str | None) -> Ints:
    """What one model said in each entry, -1 where it said nothing."""
    readings = log.readings.get(architecture)
    if readings is None or (model_id is not None and model_id not in readings.ids):
        return np.full(len(log), -1)
    if model_id is None:
        return readings.scores
    return np.where(readings.models == readings.ids.index(model_id), readings.scores, -1)


def _report(
    log: LogColumns, which: Bools, first: Ints, second: Ints, n_boot: int
) -> AgreementReport:
    """Two readers in the entries chosen; what is not assessable is counted apart."""
    scored = which & log.assessable
    report = agreement(first[scored], second[scored], groups=log.patches[scored], n_boot=n_boot)
    return replace(report, not_assessable=int(which.sum() - scored.sum()))
