"""The stain measurement in evaluation reports: figures by hand, groups pooled, older files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from her2core.charts.report_page import report_html
from her2core.charts.words import (
    difference_line,
    far_patches,
    group_rows,
    rows_csv,
    third_reader_lines,
)
from her2core.evaluation.assessment import evaluate
from her2core.evaluation.report import PatchRow, ReportError
from her2core.evaluation.third_reader import StainRow, row_of, third_reader
from her2core.scores import HER2Score
from her2core.stain.reading import StainReading
from her2core.stain.report import FOREIGN_COLOURS
from tests.report_samples import MODELS, a_report, read_back, some_rows

KEYS = [model.key for model in MODELS]
COUNTS = {0: (30, 0, 0, 0), 1: (20, 10, 0, 0), 2: (10, 5, 15, 0), 3: (5, 5, 5, 15)}
NO_SCORE = StainRow("stain-2", None, "Too few cells: 3 found.", (2, 1, 0, 0))


def stained(score: int) -> StainRow:
    return StainRow("stain-2", score, None, COUNTS[score])


def measured_rows(seed: int = 0) -> tuple[PatchRow, ...]:
    """Rows on which the third reader is right except for every fifth, and silent on every ninth."""
    rows = some_rows(20, seed=seed)
    return tuple(
        replace(
            row,
            stain=NO_SCORE
            if i % 9 == 0
            else stained((row.label + 2) % 4 if i % 5 == 0 else row.label),
        )
        for i, row in enumerate(rows)
    )


def test_figures_are_those_counted_by_hand():
    rows = measured_rows()
    found = third_reader(rows, KEYS, 100, 0)
    assert found is not None
    scored = [row for i, row in enumerate(rows) if i % 9]
    wrong = [i for i in range(len(rows)) if i % 9 and i % 5 == 0]
    assert (found.n, found.scored) == (80, len(scored))
    assert found.exact.value == pytest.approx(1 - len(wrong) / len(scored))
    assert found.exact.value == found.within_one.value  # every error is two grades wide
    assert found.exact.low is not None
    assert found.exact.low < found.exact.value < found.exact.high
    assert np.sum(found.confusion) == len(scored)
    assert np.trace(found.confusion) == len(scored) - len(wrong)


def test_a_network_differs_where_it_differs():
    rows = measured_rows()
    found = third_reader(rows, KEYS, 100, 0)
    for difference in found.differences:
        assert difference.same + difference.one_grade + difference.far == difference.n
        assert len(difference.patches) == difference.far
        gaps = []
        for sha256 in difference.patches:
            (row,) = [row for row in rows if row.sha256 == sha256]
            gaps.append(abs(int(np.argmax(row.probabilities[difference.key])) - row.stain.score))
        assert min(gaps) >= 2
        assert gaps == sorted(gaps, reverse=True)


def test_a_group_is_judged_by_all_its_cells_not_by_its_patches():
    one = some_rows(1, per_group=0)[0]
    # three patches too small for a score each; together 3 of 30 cells are 10 %, not more
    crops = [replace(one, group="g", label=1, sha256=f"{i:064x}") for i in range(3)]
    faint = StainRow("stain-2", None, "Too few cells.", (9, 1, 0, 0))
    found = third_reader([replace(crop, stain=faint) for crop in crops], KEYS, 100, 0)
    (group,) = found.groups
    assert (group.score, group.ultralow, group.counts) == (0, True, (27, 3, 0, 0))
    more = [replace(crops[0], stain=replace(faint, counts=(8, 2, 0, 0)))]
    found = third_reader([*more, *(replace(crop, stain=faint) for crop in crops[1:])], KEYS, 100, 0)
    assert found.groups[0].score == found.groups[0].truth == 1
    assert (found.scored, found.exact.value) == (0, None)
    assert found.rank is None
    assert "4 groups" in found.rank_reason


def test_cells_of_a_coarse_or_foreign_picture_count_for_nothing():
    few = StainReading("stain-2", (5, 1, 0, 0), None, "Too few cells.", um_per_pixel=0.3)
    foreign = replace(few, counts=(40, 40, 0, 0), reason="Other colours.")
    scored = replace(foreign, score=HER2Score.ONE_PLUS, reason=None)
    assert row_of(few).counts == few.counts
    assert row_of(scored).counts == scored.counts
    assert row_of(foreign).counts == (0, 0, 0, 0)
    assert row_of(replace(few, reason=FOREIGN_COLOURS)).counts == (0, 0, 0, 0)
    assert row_of(replace(few, um_per_pixel=0.9)).counts == (0, 0, 0, 0)


def test_groups_in_the_order_of_their_scores_correlate_fully():
    rows = tuple(replace(row, stain=stained(row.label)) for row in some_rows(20))
    found = third_reader(rows, KEYS, 100, 0)
    assert found.rank == pytest.approx(1)
    assert found.groups_exact == found.groups_within_one == 1


def test_a_report_comes_back_with_it_and_older_ones_still_do():
    report = a_report(rows=measured_rows())
    assert read_back(report.to_json()) == report
    fields = json.loads(report.to_json())
    del fields["evaluation"]["third_reader"]
    for row in fields["rows"]:
        del row["stain"]
    older = read_back(json.dumps(fields))
    assert older.evaluation.third_reader is None
    assert list(third_reader_lines(older.evaluation)) == []
    assert evaluate(older.rows, older.models, 100).third_reader is None


def test_a_score_that_is_none_is_refused():
    report = a_report(rows=(replace(measured_rows()[1], stain=stained(3)), *measured_rows()[2:]))
    fields = json.loads(report.to_json())
    fields["rows"][0]["stain"]["score"] = 4
    with pytest.raises(ReportError):
        read_back(json.dumps(fields))


def test_words_tables_and_files_name_it():
    report = a_report(rows=measured_rows())
    found = report.evaluation
    lines = list(third_reader_lines(found))
    assert lines[0].startswith("Stain measurement: a score for 71 of 80 patches")
    assert any("CNN and the stain measurement" in line for line in lines)
    third = found.third_reader
    assert len(group_rows(third)) == 20
    shown = far_patches(report, third.differences[0])
    assert len(shown) == third.differences[0].far
    assert "stain" in shown[0][1]
    line = difference_line("CNN", replace(third.differences[0], far=1, far_network_right=1))
    assert "two or more on 1 patch, of which CNN got 1 right" in line
    assert "CNN got none right" in difference_line(
        "CNN", replace(third.differences[0], far_network_right=0)
    )
    assert difference_line("CNN", replace(third.differences[0], far=0)).endswith(
        "never two or more."
    )
    assert " %" in str(group_rows(third)[0])
    page = report_html(report)
    assert "Third reader" in page
    assert "Too few" not in page
    header, first, *_ = rows_csv(report.rows, report.models).decode("utf-8-sig").splitlines()
    assert header.endswith('"stain score","stain reason","stain cells"')
    assert first.endswith(',,"Too few cells: 3 found.",3')
