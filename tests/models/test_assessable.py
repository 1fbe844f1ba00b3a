"""A score of 0 needs tumour cells that do not stain; without them a field is not assessable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2core.models.assessable import ASSESSABLE, asks_for_cells, assess_tumour
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews.columns import COLUMNS as EXPORTED
from her2core.reviews.columns import ExportOptions
from her2core.stain.reading import StainReading
from tests.review_samples import review
from training.score_table import COLUMNS, Entry, scored_row

UNSTAINED, FAINT, STRONG = (0.9, 0.1, 0.0, 0.0), (0.1, 0.8, 0.1, 0.0), (0.0, 0.0, 0.0, 1.0)


def verdicts(*chances):
    return [Verdict("cnn", "cnn-1", each, True) for each in chances]


def stain(cells, um_per_pixel=0.4):
    return StainReading("m", (cells, 0, 0, 0), None, "Why.", um_per_pixel=um_per_pixel)


def test_an_unstained_field_with_tumour_keeps_its_zero():
    assert assess_tumour(verdicts(UNSTAINED), stain(60), 400) == ASSESSABLE


@pytest.mark.parametrize(
    ("cells", "said"), [(0, "no tumour-like cells"), (1, "1 tumour-like cell")]
)
def test_an_unstained_field_without_tumour_is_not_assessable(cells, said):
    found = assess_tumour(verdicts(UNSTAINED), stain(cells), 400)
    assert not found.assessable
    assert said in found.reason


def test_few_cells_in_a_large_field_are_no_tumour_even_if_many_for_a_small_one():
    assert assess_tumour(verdicts(UNSTAINED), stain(18), 130).assessable
    assert not assess_tumour(verdicts(UNSTAINED), stain(18), 900).assessable


@given(st.integers(0, 500), st.floats(0.1, 1.5), st.integers(32, 3000))
def test_clear_staining_is_tumour_however_few_cells_are_found(cells, um, side):
    assert assess_tumour(verdicts(STRONG, STRONG), stain(cells, um), side).assessable


def test_faint_staining_in_a_small_field_is_enough():
    assert assess_tumour(verdicts(FAINT), stain(6), 128).assessable


def test_who_measured_nothing_says_nothing_against_a_field():
    assert assess_tumour(verdicts(UNSTAINED), None, 400).assessable
    assert assess_tumour(verdicts(UNSTAINED), stain(0, None), 400).assessable
    assert assess_tumour([], stain(0), 400).assessable
    assert not asks_for_cells([])


def test_the_networks_speak_together():
    assert asks_for_cells(verdicts(UNSTAINED, FAINT))
    assert not asks_for_cells(verdicts(UNSTAINED, STRONG))


def test_the_table_has_no_score_but_what_was_said():
    (verdict,) = verdicts(UNSTAINED)
    entry = Entry("a.png", "0" * 64, "A remark.")
    row = scored_row(entry, verdict, assess_tumour([verdict], stain(2), 400))
    assert tuple(row) == COLUMNS
    assert (row["score"], row["status"], row["p_0"]) == ("", "not assessable", "0.9")
    assert row["message"].startswith("Not assessable")
    assert row["message"].endswith("A remark.")
    assert scored_row(entry, verdict)["score"] == "0"


def test_the_exported_log_says_why_a_field_cannot_be_scored():
    column = next(column for column in EXPORTED if column.name == "not_assessable")
    (verdict,) = verdicts(UNSTAINED)
    square = Square(0, 0, 400)
    poor = review(verdicts=(verdict,), stain=stain(3), square=square)
    rich = review(verdicts=(verdict,), stain=stain(60), square=square)
    assert "3 tumour-like cells" in str(column.value(poor, ExportOptions()))
    assert column.value(rich, ExportOptions()) is None
