"""Agreement of readers: the figures are right, and what is not known is said, not made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from her2core.evaluation.agreement import agreement, quadratic_kappa
from her2core.evaluation.comparisons import (
    by_reviewer,
    current_reviews,
    model_versions,
    model_with_reviewers,
    models_with_each_other,
)
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews.records import PatchRecord, Review
from her2core.scores import HER2Score
from her2core.stain.reading import StainReading
from tests.evaluation.columns import columns_of

ZERO, ONE, TWO, THREE = HER2Score
scores = st.sampled_from(list(HER2Score))
pairs = st.lists(st.tuples(scores, scores), min_size=1, max_size=60)


def test_worked_example():
    first = [ZERO, ZERO, ONE, TWO, THREE, THREE]
    second = [ZERO, ONE, ONE, THREE, THREE, ZERO]

    report = agreement(first, second)

    assert report.n == report.groups == 6
    assert report.confusion == ((1, 1, 0, 0), (0, 1, 0, 0), (0, 0, 0, 1), (1, 0, 0, 1))
    assert report.exact.value == pytest.approx(3 / 6)
    assert report.within_one.value == pytest.approx(5 / 6)
    # Squared gaps add up to 0+1+0+1+0+9 = 11 over 6 pairs. By chance each first score meets each
    # second score: a 0 is then off by 20 (twice), the 1 by 10, the 2 by 12, a 3 by 26 (twice);
    # in all 114 over 36 pairings.
    assert report.kappa.value == pytest.approx(1 - (11 / 6) / (114 / 36))


@given(pairs)
def test_figures_are_those_of_scikit_learn(drawn):
    first, second = (list(side) for side in zip(*drawn, strict=True))
    report = agreement(first, second, n_boot=100)

    np.testing.assert_array_equal(
        report.confusion, confusion_matrix(first, second, labels=list(HER2Score))
    )
    assert report.exact.value == pytest.approx(np.mean([a == b for a, b in drawn]))
    if len({*first, *second}) == 1:
        assert report.kappa.value is None
        assert "only one score" in report.kappa.reason
    else:
        expected = cohen_kappa_score(
            [int(s) for s in first], [int(s) for s in second], weights="quadratic", labels=range(4)
        )
        assert report.kappa.value == pytest.approx(expected, abs=1e-12)


@given(pairs, st.integers(min_value=0, max_value=2**31))
def test_intervals_are_ordered_and_repeatable(drawn, seed):
    first, second = (list(side) for side in zip(*drawn, strict=True))
    report = agreement(first, second, n_boot=200, seed=seed)

    assert report == agreement(first, second, n_boot=200, seed=seed)
    for figure, floor in ((report.exact, 0), (report.within_one, 0), (report.kappa, -1)):
        assert figure.n == len(drawn)
        assert (figure.low is None) == (figure.high is None)
        if figure.low is None:
            assert figure.reason.endswith(".")
        else:
            assert floor <= figure.low <= figure.high <= 1


def test_bootstrap_interval_is_that_of_plain_resampling():
    rng = np.random.default_rng(5)
    first = rng.integers(0, 4, 80)
    second = np.clip(first + rng.choice([-1, 0, 0, 1, 2], 80), 0, 3)
    report = agreement([HER2Score(s) for s in first], [HER2Score(s) for s in second], n_boot=4000)

    plain = []
    for _ in range(2000):
        drawn = rng.integers(0, 80, 80)
        table = confusion_matrix(first[drawn], second[drawn], labels=range(4))
        plain.append((np.trace(table) / 80, float(quadratic_kappa(table.astype(float)))))
    low, high = np.quantile(plain, (0.025, 0.975), axis=0)

    assert (report.exact.low, report.exact.high) == pytest.approx((low[0], high[0]), abs=0.03)
    assert (report.kappa.low, report.kappa.high) == pytest.approx((low[1], high[1]), abs=0.03)


def test_repeated_reviews_of_one_patch_do_not_narrow_the_interval():
    first = [ZERO, ONE, TWO, THREE, ONE, TWO, ZERO, THREE]
    second = [ZERO, ONE, ONE, THREE, TWO, TWO, ONE, THREE]
    once = agreement(first, second, groups=range(8))
    tenfold = agreement(first * 10, second * 10, groups=list(range(8)) * 10)
    feigned = agreement(first * 10, second * 10)

    assert tenfold.groups == 8
    assert tenfold.n == 80
    assert tenfold.kappa.value == pytest.approx(once.kappa.value)
    assert (tenfold.kappa.low, tenfold.kappa.high) == pytest.approx(
        (once.kappa.low, once.kappa.high)
    )
    assert feigned.kappa.high - feigned.kappa.low < 0.5 * (once.kappa.high - once.kappa.low)


def test_nothing_to_compare_is_said_not_invented():
    report = agreement([], [])
    assert report.n == 0
    for figure in (report.exact, report.within_one, report.kappa):
        assert figure.value is None
        assert figure.low is None
        assert figure.reason == "There is nothing to compare yet."


def test_complete_agreement_does_not_claim_certainty():
    five = [ZERO, ONE, TWO, THREE, TWO]
    report = agreement(five, five)
    assert report.exact.value == 1
    assert report.exact.high == 1
    # Exact binomial: a true share of 0.478 gives 5 of 5 with probability 0.025.
    assert report.exact.low**5 == pytest.approx(0.025)
    assert "binomial" in report.exact.reason
    assert report.kappa.value == 1
    assert report.kappa.low is None


def test_half_of_each_patch_s_pairs_is_no_certainty():
    """One reader always agrees, one never: resampling patches cannot vary the share."""
    first, second = [ONE, ONE] * 10, [ONE, TWO] * 10
    report = agreement(first, second, groups=[str(pair // 2) for pair in range(20)])
    assert report.exact.value == 0.5
    assert report.exact.low is None
    assert "cannot vary" in report.exact.reason


def test_few_patches_give_no_interval():
    report = agreement([ONE, TWO], [ONE, ONE], groups=["a", "a"])
    assert report.exact.value == 0.5
    assert report.exact.low is None
    assert report.exact.reason == "No interval: 1 of the 5 patches it needs at least."


def test_a_reader_with_a_single_score_is_pointed_out():
    report = agreement([ONE, ONE, ONE], [ZERO, ONE, TWO])
    assert report.kappa.value == 0
    assert report.kappa.low is None
    assert "same score throughout" in report.kappa.reason


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="same items"):
        agreement([ONE], [])
    with pytest.raises(ValueError, match="same items"):
        agreement([ONE], [ONE], groups=[])
    with pytest.raises(ValueError, match="resamples"):
        agreement([ONE], [ONE], n_boot=1)


# ---- from reviews -------------------------------------------------------------------------------


def verdict(architecture: str, score: HER2Score, version: str = "a") -> Verdict:
    a, b, c, d = (0.7 if k == score else 0.1 for k in range(4))
    return Verdict(architecture, f"{architecture}-{version}", (a, b, c, d), demo=True)


def review(
    number: int,
    *,
    patch: str,
    own: HER2Score,
    cnn: HER2Score | None = None,
    densenet: HER2Score | None = None,
    reviewer: str = "Ada",
    blind: bool = False,
    superseded_by: int | None = None,
    version: str = "a",
    x: int = 0,
) -> Review:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    verdicts = []
    if cnn is not None:
        verdicts.append(verdict("cnn", cnn, version))
    if densenet is not None:
        verdicts.append(verdict("densenet121", densenet, version))
    return Review(
        id=number,
        recorded_at=when,
        patch=PatchRecord(patch * 64, f"{patch}.png", 224, 224, when),
        square=Square(x, 0, 224),
        reviewer=reviewer,
        verdicts=tuple(verdicts),
        agrees={},
        own_score=own,
        confidence="high",
        comment="",
        seconds=1.0,
        blind=blind,
        supersedes=None,
        superseded_by=superseded_by,
        previous_hash="",
        entry_hash="",
    )


LOG = [
    review(4, patch="c", own=ZERO, cnn=ONE, densenet=ZERO, reviewer="bo", blind=True),
    review(1, patch="a", own=THREE, cnn=ZERO, densenet=THREE, superseded_by=2),
    review(2, patch="a", own=TWO, cnn=ZERO, densenet=THREE),
    review(3, patch="a", own=TWO, cnn=ZERO, densenet=THREE, reviewer="bo"),
    review(5, patch="d", own=ONE, cnn=ONE),
]


def test_corrected_reviews_do_not_count():
    assert list(current_reviews(columns_of(LOG)).ids) == [2, 3, 4, 5]


def test_model_with_reviewers_uses_own_scores_and_groups_by_patch():
    report = model_with_reviewers(current_reviews(columns_of(LOG)), "cnn")
    assert report.n == 4
    assert report.groups == 3
    assert report.confusion[ZERO][TWO] == 2
    assert report.confusion[ONE][ZERO] == 1
    assert report.confusion[ONE][ONE] == 1


def test_reviews_without_a_verdict_of_the_model_are_left_out():
    assert model_with_reviewers(current_reviews(columns_of(LOG)), "densenet121").n == 3


def test_what_is_not_assessable_is_counted_apart_and_is_no_grade():
    nothing = StainReading("stain-6", (3, 0, 0, 0), None, "Too few cells.", um_per_pixel=0.4)
    empty = replace(review(9, patch="e", own=THREE, cnn=ZERO, densenet=ZERO), stain=nothing)
    assert not empty.assessability().assessable
    log = current_reviews(columns_of([*LOG, empty]))
    report = model_with_reviewers(log, "cnn")
    assert (report.n, report.not_assessable) == (4, 1)
    assert report.confusion[ZERO][THREE] == 0
    assert by_reviewer(log, "cnn")["Ada"].not_assessable == 1
    both = models_with_each_other(log, "cnn", "densenet121")
    assert (both.n, both.not_assessable) == (2, 1)


def test_models_with_each_other_count_each_square_once():
    report = models_with_each_other(columns_of(LOG), "cnn", "densenet121")
    assert report.n == 2
    assert report.confusion[ZERO][THREE] == 1
    assert report.confusion[ONE][ZERO] == 1

    other_square = review(9, patch="a", own=ONE, cnn=ONE, densenet=ONE, x=50)
    report = models_with_each_other(columns_of([*LOG, other_square]), "cnn", "densenet121")
    assert (report.n, report.groups) == (3, 2)


def test_blind_reviews_stand_apart():
    assert list(current_reviews(columns_of(LOG), reading="blind").ids) == [4]
    assert list(current_reviews(columns_of(LOG), reading="unblinded").ids) == [2, 3, 5]
    assert list(current_reviews(columns_of(LOG), reviewers=["bo"]).ids) == [3, 4]


def test_each_reviewer_alone():
    reports = by_reviewer(current_reviews(columns_of(LOG)), "cnn")
    assert {name: report.n for name, report in reports.items()} == {"Ada": 2, "bo": 2}


def test_two_versions_of_a_model_are_two_readers():
    log = [*LOG, review(6, patch="e", own=ONE, cnn=ONE, version="b")]
    assert model_versions(columns_of(log))["cnn"] == ("cnn-b", "cnn-a")
    assert model_with_reviewers(columns_of(log), "cnn", model_id="cnn-b").n == 1
    assert model_with_reviewers(current_reviews(columns_of(log)), "cnn").n == 5
