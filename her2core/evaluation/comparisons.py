"""Which scores are compared: recorded reviews become agreement reports.

A model with the reviewers, the models with each other, one reviewer at a time; blind reviews apart
from unblinded ones, because a reader who sees a verdict first is drawn towards it. Several reviews
of one patch, and several squares of it, are resampled together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from her2core.evaluation.agreement import AgreementReport, agreement
from her2core.models.verdict import Verdict
from her2core.reviews.records import Review
from her2core.scores import HER2Score

Reading = Literal["blind", "unblinded"]


def current_reviews(
    reviews: Iterable[Review],
    *,
    reviewers: Sequence[str] = (),
    reading: Reading | None = None,
) -> list[Review]:
    """The reviews that count: not corrected by a later one, oldest first.

    Args:
        reviews: recorded reviews in any order.
        reviewers: keep only these reviewers' reviews; all when empty.
        reading: keep only blind or only unblinded reviews; both when None.
    """
    kept = (
        review
        for review in reviews
        if review.superseded_by is None
        and (not reviewers or review.reviewer in reviewers)
        and (reading is None or review.blind == (reading == "blind"))
    )
    return sorted(kept, key=lambda review: review.id)


def model_versions(reviews: Iterable[Review]) -> dict[str, tuple[str, ...]]:
    """Architecture -> ids of its models met in the reviews, the latest met first.

    Two bundles of one architecture are two readers; pooling them hides that.
    """
    newest_first = sorted(reviews, key=lambda review: review.id, reverse=True)
    versions: dict[str, dict[str, None]] = {}
    for review in newest_first:
        for verdict in review.verdicts:
            versions.setdefault(verdict.architecture, {})[verdict.model_id] = None
    return {architecture: tuple(ids) for architecture, ids in sorted(versions.items())}


def model_with_reviewers(
    reviews: Iterable[Review],
    architecture: str,
    *,
    model_id: str | None = None,
    n_boot: int = 2000,
    seed: int = 0,
) -> AgreementReport:
    """A model's verdicts (rows) with the reviewers' own scores (columns), as recorded.

    Args:
        reviews: reviews to compare; see `current_reviews`.
        architecture: "cnn" or "densenet121".
        model_id: one version of the model; all its versions pooled when None.
        n_boot, seed: see `agreement`.

    Returns:
        The report; reviews without a verdict of this model are left out. Where the square was not
        assessable the model gave no score: those are counted apart.
    """
    pairs = [
        (verdict.score if review.assessability().assessable else None, review)
        for review in reviews
        if (verdict := _verdict(review, architecture, model_id)) is not None
    ]
    scored = [
        (score, review.own_score, review.patch.sha256)
        for score, review in pairs
        if score is not None
    ]
    return _report(scored, len(pairs) - len(scored), n_boot, seed)


def models_with_each_other(
    reviews: Iterable[Review],
    first: str,
    second: str,
    *,
    first_id: str | None = None,
    second_id: str | None = None,
    n_boot: int = 2000,
    seed: int = 0,
) -> AgreementReport:
    """Two models' verdicts of the same squares (rows: `first`), each patch and square once.

    Where a square was reviewed more than once, the verdicts of the latest review count.
    Arguments as in `model_with_reviewers`.
    """
    latest = {}
    for review in sorted(reviews, key=lambda review: review.id):
        one = _verdict(review, first, first_id)
        other = _verdict(review, second, second_id)
        if one is not None and other is not None:
            scores = (one.score, other.score, review.patch.sha256)
            assessable = review.assessability().assessable
            latest[review.patch.sha256, review.square] = scores if assessable else None
    scored = [scores for scores in latest.values() if scores is not None]
    return _report(scored, len(latest) - len(scored), n_boot, seed)


def by_reviewer(
    reviews: Iterable[Review],
    architecture: str,
    *,
    model_id: str | None = None,
    n_boot: int = 2000,
    seed: int = 0,
) -> dict[str, AgreementReport]:
    """Reviewer -> a model's agreement with this reviewer alone, by name.

    Arguments as in `model_with_reviewers`.
    """
    own: dict[str, list[Review]] = {}
    for review in reviews:
        own.setdefault(review.reviewer, []).append(review)
    return {
        name: model_with_reviewers(
            own[name], architecture, model_id=model_id, n_boot=n_boot, seed=seed
        )
        for name in sorted(own, key=str.casefold)
    }


def _verdict(review: Review, architecture: str, model_id: str | None) -> Verdict | None:
    verdict = review.verdict(architecture)
    if verdict is None or model_id not in (None, verdict.model_id):
        return None
    return verdict


def _report(
    pairs: Sequence[tuple[HER2Score, HER2Score, str]], not_assessable: int, n_boot: int, seed: int
) -> AgreementReport:
    report = agreement(
        [first for first, _, _ in pairs],
        [second for _, second, _ in pairs],
        groups=[sha256 for _, _, sha256 in pairs],
        n_boot=n_boot,
        seed=seed,
    )
    return replace(report, not_assessable=not_assessable)
