"""Reviewers with each other, and agreement over time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest

from her2core.charts.plotly_figures import drift_figure
from her2core.evaluation.drift import drift
from her2core.evaluation.fleiss import fleiss_kappa, reviewers_kappa
from tests.evaluation.columns import columns_of
from tests.evaluation.test_agreement import ONE, THREE, TWO, ZERO, review

# Fleiss' own example as retold in textbooks: 14 raters, 10 subjects, 5 categories, kappa 0.210.
TEXTBOOK = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ],
    float,
)


def test_fleiss_kappa_of_the_textbook_example():
    assert fleiss_kappa(TEXTBOOK, np.ones((1, 10)))[0] == pytest.approx(0.210, abs=5e-4)


def test_with_unequal_numbers_of_raters_it_is_that_of_fleiss_and_cuzick():
    """Their formula for two categories: 1 - sum x (n - x) / n / (N (mean n - 1) p q)."""
    counts = np.array([[1, 1]] * 6 + [[2, 0], [0, 2], [6, 0], [0, 6]], float)
    raters = counts.sum(axis=1)
    p = counts[:, 0].sum() / raters.sum()
    disagreement = (counts[:, 0] * counts[:, 1] / raters).sum()
    expected = 1 - disagreement / (len(counts) * (raters.mean() - 1) * p * (1 - p))
    assert expected == pytest.approx(1 / 3, abs=0.01)
    assert fleiss_kappa(counts, np.ones((1, len(counts))))[0] == pytest.approx(expected)


def test_weights_count_subjects_as_often_as_they_say():
    weights = np.array([[2, 0, 1, 1, 3, 1, 0, 1, 1, 0.0]])
    repeated = np.repeat(TEXTBOOK, weights[0].astype(int), axis=0)
    expected = fleiss_kappa(repeated, np.ones((1, len(repeated))))
    assert fleiss_kappa(TEXTBOOK, weights) == pytest.approx(expected)


def test_only_patches_scored_by_several_reviewers_count_each_reviewer_once():
    log = [
        review(1, patch="a", own=ZERO, reviewer="Ada"),
        review(2, patch="a", own=ONE, reviewer="Ada"),  # her later score counts
        review(3, patch="a", own=ONE, reviewer="Bo"),
        review(4, patch="b", own=TWO, reviewer="Ada"),
        review(5, patch="b", own=THREE, reviewer="Bo"),
        review(6, patch="c", own=ZERO, reviewer="Ada"),  # nobody else read it
    ]
    kappa, people = reviewers_kappa(columns_of(log))
    # agreement 1 and 0: observed 1/2; shares 1+ 1/2, 2+ 1/4, 3+ 1/4: chance 3/8; (1/8) / (5/8)
    assert kappa.value == pytest.approx(0.2)
    assert (kappa.n, people) == (2, 2)
    assert "2 of the 5 patches" in kappa.reason


def test_kappa_without_shared_patches_or_with_one_score_is_a_gap():
    alone, people = reviewers_kappa(columns_of([review(1, patch="a", own=ONE)]))
    assert (alone.value, alone.n, people) == (None, 0, 0)
    same = [review(i, patch="a", own=ONE, reviewer=str(i)) for i in (1, 2)]
    assert reviewers_kappa(columns_of(same))[0].value is None
    assert "one and the same score" in reviewers_kappa(columns_of(same))[0].reason


def test_the_axis_of_time_names_periods_and_nothing_between():
    day = datetime(2026, 10, 31, 12, tzinfo=UTC)
    one = drift(
        columns_of([replace(review(1, patch="a", own=ONE, cnn=ONE), recorded_at=day)]),
        "cnn",
        "month",
    )
    axis = drift_figure([("CNN", one)]).layout.xaxis
    assert (list(axis.tickvals), axis.tickformat) == (["2026-10-01"], "%d %b %Y")
    log = [
        replace(review(n, patch=str(n), own=ONE, cnn=ONE), recorded_at=day + timedelta(weeks=n))
        for n in range(30)
    ]
    weeks = drift(columns_of(log), "cnn", "week")
    shown = drift_figure([("CNN", weeks)]).layout.xaxis.tickvals
    assert set(shown) <= {week.start.isoformat() for week in weeks}
    assert len(shown) == 8
    assert drift_figure([("CNN", [])]).layout.xaxis.tickvals is None


def test_agreement_is_told_for_each_month_and_each_week_in_utc():
    first = datetime(2026, 2, 27, 12, tzinfo=UTC)  # a Friday
    log = [
        replace(
            review(number, patch=patch, own=ONE, cnn=cnn), recorded_at=first + timedelta(days=days)
        )
        for number, (patch, cnn, days) in enumerate(
            [("a", ONE, 0), ("b", TWO, 1), ("c", ONE, 3), ("d", ONE, 9)], 1
        )
    ]
    months = drift(columns_of(log), "cnn", "month")
    assert [(m.start, m.report.n) for m in months] == [(date(2026, 2, 1), 2), (date(2026, 3, 1), 2)]
    assert [m.report.exact.value for m in months] == [0.5, 1.0]
    weeks = drift(columns_of(log), "cnn", "week")
    starts = [(w.start.isoformat(), w.report.n) for w in weeks]
    assert starts == [("2026-02-23", 2), ("2026-03-02", 2)]
    assert drift(columns_of(log), "densenet121", "week") == []

    # one minute past midnight in Tokyo is still the day before in UTC
    tokyo = datetime(2026, 3, 1, 0, 1, tzinfo=timezone(timedelta(hours=9)))
    (late,) = drift(columns_of([replace(log[0], recorded_at=tokyo)]), "cnn", "month")
    assert late.start == date(2026, 2, 1)
