"""Agreement of a model with the reviewers over time, so that a slow change is seen.

A change may come from the model (another bundle), the stain, the scanner or the reviewers; the
figures only say that there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Literal

from her2core.evaluation.agreement import AgreementReport
from her2core.evaluation.comparisons import model_with_reviewers
from her2core.reviews.records import Review

Period = Literal["week", "month"]


@dataclass(frozen=True)
class PeriodAgreement:
    """A week (from Monday) or a month: its first day, in UTC, and the agreement in it."""

    start: date
    report: AgreementReport


def drift(
    reviews: Iterable[Review],
    architecture: str,
    period: Period,
    *,
    model_id: str | None = None,
    n_boot: int = 1000,
    seed: int = 0,
) -> list[PeriodAgreement]:
    """A model's agreement with the reviewers in each period that has reviews, oldest first.

    Args:
        reviews: reviews to compare; see `comparisons.current_reviews`.
        architecture: "cnn" or "densenet121".
        period: length of a period.
        model_id: one version of the model; all pooled when None.
        n_boot, seed: see `agreement`.
    """
    by_start: dict[date, list[Review]] = {}
    for review in reviews:
        by_start.setdefault(_start(review, period), []).append(review)
    reports = (
        PeriodAgreement(
            start,
            model_with_reviewers(
                by_start[start], architecture, model_id=model_id, n_boot=n_boot, seed=seed
            ),
        )
        for start in sorted(by_start)
    )
    return [one for one in reports if one.report.n]


def _start(review: Review, period: Period) -> date:
    day = review.recorded_at.astimezone(UTC).date()
    return day.replace(day=1) if period == "month" else day - timedelta(days=day.weekday())
