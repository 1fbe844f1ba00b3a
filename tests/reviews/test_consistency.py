"""A slip of a key is told before it is recorded; what may be meant is not refused."""

from __future__ import annotations

import pytest

from her2core.reviews.consistency import contradiction
from her2core.scores import HER2Score
from tests.review_samples import VERDICTS

CNN_3, DENSENET_2 = VERDICTS


@pytest.mark.parametrize(
    ("own", "agrees", "said"),
    [
        (None, {"cnn": True}, None),
        (3, {}, None),
        (3, {"cnn": True, "densenet121": False}, None),
        (3, {"cnn": None, "densenet121": None}, None),
        (0, {"cnn": True}, "You score 0, but agree with CNN’s 3+."),
        (2, {"cnn": False, "densenet121": False}, "You score 2+, but disagree with DenseNet121’s"),
        (
            1,
            {"cnn": True, "densenet121": True},
            "You score 1+, but agree with CNN’s 3+ and agree with DenseNet121’s 2+.",
        ),
    ],
)
def test_only_answers_that_contradict_the_own_score_are_named(own, agrees, said):
    found = contradiction(None if own is None else HER2Score(own), agrees, VERDICTS)
    assert (found is None) if said is None else found.startswith(said)


def test_an_answer_to_a_model_that_gave_no_verdict_contradicts_nothing():
    assert contradiction(HER2Score.ZERO, {"cnn": True, "densenet121": True}, [DENSENET_2]) == (
        "You score 0, but agree with DenseNet121’s 2+. If that is meant, save it as it is."
    )
