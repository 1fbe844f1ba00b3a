"""Agreement of a model with the reviewers over time, so that a slow change is seen.

A change may come from the model (another bundle), the stain, the scanner or the reviewers; the
figures only say that there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np

from her2core.evaluation.agreement import AgreementReport
from her2core.evaluation.comparisons import model_with_reviewers
from her2core.reviews.log_columns import LogColumns

Period = Literal["week", "month"]
_N_BOOT = 1000


@dataclass(frozen=True)
class PeriodAgreement:
    """A week (from Monday) or a month: its first day, in UTC, and the agreement in it."""

    start: date
    report: AgreementReport


def drift(
    log: LogColumns,
    architecture: str,
    period: Period,
    *,
    model_id: str | None = None,
) -> list[PeriodAgreement]:
    """A model's agreement with the reviewers in each period that has reviews, oldest first.

    Args:
        log: reviews to compare; see `comparisons.current_reviews`.
        architecture: "cnn" or "densenet121".
        period: length of a period.
        model_id: one version of the model; all pooled when None.
    """
    days, of_day = np.unique(log.days, return_inverse=True)
    starts = np.array([_start(date.fromordinal(int(day)), period).toordinal() for day in days])
    of_entry = starts[of_day] if len(days) else log.days
    reports = (
        PeriodAgreement(
            date.fromordinal(int(start)),
            model_with_reviewers(
                log.only(of_entry == start),
                architecture,
                model_id=model_id,
                n_boot=_N_BOOT,
            ),
        )
        for start in np.unique(of_entry)
    )
    return [one for one in reports if one.report.n]


def _start(day: date, period: Period) -> date:
    return day.replace(day=1) if period == "month" else day - timedelta(days=day.weekday())
