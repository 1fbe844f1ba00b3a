"""Who had the adjudicator's score, the reviewer or the model."""

from dataclasses import replace

from her2core.evaluation.adjudicated import Decided, decided
from her2core.reviews.double_reads import DoubleRead, GivenScore
from her2core.reviews.records import Review
from her2core.scores import HER2Score
from tests.evaluation.columns import columns_of
from tests.review_samples import patch, review, verdict

ADA, BEN, DEE = "Ada", "Ben", "Dee"
SHA256 = "a" * 64


def answer(number: int, reviewer: str, score: int, model: int = 2) -> Review:
    return review(
        id=number,
        patch=patch(SHA256),
        reviewer=reviewer,
        own_score=HER2Score(score),
        verdicts=(verdict("cnn", model),),
    )


def double_read(ada: int, ben: int, decision: int | None) -> DoubleRead:
    given = {
        name: GivenScore(number, name, HER2Score(score))
        for number, (name, score) in enumerate(((ADA, ada), (BEN, ben)), start=1)
    }
    third = None if decision is None else GivenScore(3, DEE, HER2Score(decision))
    return DoubleRead(SHA256, (ADA, BEN), True, given, DEE, third)


def test_each_answer_counts_by_who_had_the_score_that_was_decided():
    log = columns_of([answer(1, ADA, 2), answer(2, BEN, 3)])
    assert decided(log, [double_read(2, 3, 2)], "cnn") == Decided(both=1, model=1)
    assert decided(log, [double_read(2, 3, 3)], "cnn") == Decided(reviewer=1, neither=1)


def test_what_is_not_decided_or_not_visible_counts_not():
    log = columns_of([answer(1, ADA, 2), answer(2, BEN, 3)])
    assert decided(log, [double_read(2, 3, None)], "cnn").n == 0
    assert decided(log.only(log.ids == 1), [double_read(2, 3, 2)], "cnn").n == 1
    assert decided(log, [double_read(2, 3, 2)], "densenet121").n == 0


def test_one_version_of_the_model_is_counted_alone():
    mine, other = answer(1, ADA, 2), answer(2, BEN, 3)
    other = replace(other, verdicts=(replace(other.verdicts[0], model_id="cnn-999999999999"),))
    found = decided(columns_of([mine, other]), [double_read(2, 3, 2)], "cnn", "cnn-999999999999")
    assert found == Decided(model=1)
