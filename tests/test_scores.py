"""The score scale: order, labels, and no default for what is not a score."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2core.evaluation.assessment import evaluate
from her2core.models.conformal import set_text
from her2core.reviews.export import to_csv, to_json
from her2core.scores import (
    CLASS_LABELS,
    RULE_SHARE,
    RULE_TEXT,
    HER2Score,
    grade_gap,
    highest_reached,
    passes_rule,
    score_of_cells,
)
from her2core.settings import PROJECT_ROOT
from tests.report_samples import MODELS, some_rows
from tests.review_samples import review


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
    assert all(score.meaning for score in HER2Score)
    assert f"up to {RULE_TEXT} of cells" in HER2Score.ZERO.meaning


def test_column_suffixes_are_plain_words():
    assert [score.column for score in HER2Score] == ["0", "1plus", "2plus", "3plus"]


def test_files_keep_the_key_whatever_people_read(monkeypatch):
    rows, log = some_rows(9, classes=(0, 1, 2)), [review()]
    kept = to_json(log), to_csv(log), evaluate(rows, MODELS, n_boot=10).readers[0].figures
    monkeypatch.setattr(HER2Score, "label", property(lambda score: f"grade {int(score)}"))
    now = to_json(log), to_csv(log), evaluate(rows, MODELS, n_boot=10).readers[0].figures
    assert now[:2] == kept[:2]
    assert b'"own_score": "3+"' in now[0] or b'"own_score":"3+"' in now[0]
    assert [(one.name, one.of) for one in now[2]] == [(one.name, one.of) for one in kept[2]]
    said = {one.value.reason for one in now[2] if (one.name, one.of) == ("recall", "3+")}
    assert said == {"No patch is labelled grade 3."}
    assert set_text([HER2Score.ZERO, HER2Score.ONE_PLUS]) == "grade 0 or grade 1"
    assert HER2Score.TWO_PLUS.meaning.startswith("A grade 2 tumour is")


def test_the_gap_is_counted_in_grades_either_way():
    assert grade_gap(HER2Score.ZERO, HER2Score.THREE_PLUS) == 3
    assert grade_gap(HER2Score.TWO_PLUS, HER2Score.ONE_PLUS) == 1
    assert grade_gap(HER2Score.TWO_PLUS, HER2Score.TWO_PLUS) == 0


ZERO, ONE, TWO, THREE = HER2Score


@pytest.mark.parametrize(
    ("faint", "moderate", "intense", "expected"),
    [
        (0.0, 0.0, 0.0, ZERO),
        (RULE_SHARE, 0.0, 0.0, ZERO),
        (0.11, 0.0, 0.0, ONE),
        (0.09, RULE_SHARE, 0.0, ONE),
        (0.0, 0.11, 0.0, TWO),
        (0.0, 0.0, RULE_SHARE, TWO),
        (0.0, 0.0, 0.01, TWO),
        (0.0, 0.0, 0.11, THREE),
    ],
)
def test_a_pattern_decides_only_in_more_than_the_guideline_s_share(
    faint, moderate, intense, expected
):
    assert RULE_TEXT == "10 %"
    assert score_of_cells(faint, moderate, intense) is expected


@given(st.integers(min_value=1, max_value=400), st.data())
def test_exactly_a_tenth_is_never_more_than_a_tenth(n, data):
    """However the share is computed: by division, or as a sum of two rounded shares."""
    total = 10 * n
    part = data.draw(st.integers(min_value=0, max_value=n))
    assert not passes_rule(n / total)
    assert not passes_rule(part / total + (n - part) / total)
    assert passes_rule((n + 1) / total)
    assert highest_reached([THREE] * n + [ZERO] * (total - n)) is ZERO
    assert highest_reached([THREE] * (n + 1) + [ZERO] * (total - n - 1)) is THREE


def test_the_rule_s_number_stands_in_no_other_file():
    """Only the guideline's number as words or as a limit; figures in docstrings tell of data."""
    for folder in ("her2core", "pages", "training"):
        for path in sorted((PROJECT_ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            for words in ("more than 10 %", "10 % at most", "up to 10 %", "by the 10 % rule"):
                assert words not in text, path
