"""The score scale: order, labels, and no default for what is not a score."""

from __future__ import annotations

import pytest

from her2core.scores import CLASS_LABELS, HER2Score, grade_gap


def test_scores_are_ordered_as_clinicians_order_them():
    assert CLASS_LABELS == ("0", "1+", "2+", "3+")
    assert [int(score) for score in HER2Score] == [0, 1, 2, 3]
    assert HER2Score.THREE_PLUS > HER2Score.TWO_PLUS


@pytest.mark.parametrize("score", HER2Score)
def test_every_way_of_writing_a_score_is_read_back(score):
    for text in (score.label, score.folder, str(int(score)), f" {score.label} "):
        assert HER2Score.from_label(text) is score


@pytest.mark.parametrize("text", ["", "4+", "-1", "2-3+", "positive", "class_", "nan"])
def test_what_is_no_score_never_becomes_one(text):
    with pytest.raises(ValueError, match="not a HER2 score"):
        HER2Score.from_label(text)


def test_status_follows_the_guideline():
    assert [score.status for score in HER2Score] == [
        "negative",
        "negative (HER2-low)",
        "equivocal",
        "positive",
    ]
    assert "reflex ISH" in HER2Score.TWO_PLUS.meaning
    assert all(score.criterion and score.meaning for score in HER2Score)


def test_column_suffixes_are_plain_words():
    assert [score.column for score in HER2Score] == ["0", "1plus", "2plus", "3plus"]


def test_the_gap_is_counted_in_grades_either_way():
    assert grade_gap(HER2Score.ZERO, HER2Score.THREE_PLUS) == 3
    assert grade_gap(HER2Score.TWO_PLUS, HER2Score.ONE_PLUS) == 1
    assert grade_gap(HER2Score.TWO_PLUS, HER2Score.TWO_PLUS) == 0
