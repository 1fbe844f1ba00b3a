"""report.json reads back unchanged or is refused; its pictures and page carry what it says."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from her2core.charts.pictures import picture
from her2core.charts.plotly_figures import plotly_figure
from her2core.charts.plots import confusion_plot, report_plots
from her2core.charts.report_page import report_html
from her2core.charts.words import pair_lines, rows_csv
from her2core.evaluation.report import REPORT_FILE, ReportError, find_reports
from tests.report_samples import MODELS, a_model, a_report, read_back, some_rows

REPORT = a_report("A report", some_rows(10), n_boot=100)
HOSTILE = "<img src=x onerror=alert(1)>"


def test_a_report_reads_back_unchanged():
    assert read_back(REPORT.to_json()) == REPORT


def test_what_is_not_assessable_is_a_column_of_its_own_and_in_no_figure():
    rows = some_rows(10)
    told = tuple(replace(row, assessable=index % 10 != 0) for index, row in enumerate(rows))
    report = a_report("A report", told, n_boot=100)
    kept = a_report("A report", tuple(row for row in told if row.assessable), n_boot=100)
    assert report.evaluation.n == 36
    assert report.evaluation.not_assessable == (1, 1, 1, 1)
    for reader, same in zip(report.evaluation.readers, kept.evaluation.readers, strict=True):
        assert reader.figures == same.figures
        assert reader.confusion == same.confusion
        plot = confusion_plot(reader)
        assert plot.columns == ("0", "1+", "2+", "3+", "not assessable")
        assert plot.without_score == (1, 1, 1, 1)
        drawn = plotly_figure(plot)
        assert tuple(drawn.data[0].x) == plot.columns
        assert Image.open(io.BytesIO(picture(plot))).width == 1000
    assert not {entry.sha256 for entry in report.gallery} & {
        row.sha256 for row in told if not row.assessable
    }
    assert "4 more patches are not assessable (1 labelled 0, " in report_html(report)
    table = list(csv.DictReader(io.StringIO(rows_csv(told, MODELS).decode("utf-8-sig"))))
    assert [row["assessable"] for row in table[:3]] == ["no", "yes", "yes"]
    assert read_back(report.to_json()) == report


def test_a_report_made_before_that_was_asked_has_no_such_column():
    assert REPORT.evaluation.not_assessable == ()
    assert confusion_plot(REPORT.evaluation.readers[0]).columns == ("0", "1+", "2+", "3+")
    with pytest.raises(ValueError, match="no patch"):
        a_report("A report", tuple(replace(row, assessable=False) for row in some_rows(3)))


@given(file=st.text(max_size=20), title=st.text(max_size=20), tissue=st.floats(0, 1))
def test_any_name_reads_back_unchanged(file, title, tissue):
    rows = (replace(REPORT.rows[0], file=file, group=title, tissue=tissue), *REPORT.rows[1:])
    report = replace(REPORT, rows=rows, title=title)
    assert read_back(report.to_json()) == report


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(REPORT.to_json()), **fields})


def first_row(**fields: object) -> str:
    rows = json.loads(REPORT.to_json())["rows"]
    return changed(rows=[{**rows[0], **fields}, *rows[1:]])


def evaluation(**fields: object) -> str:
    return changed(evaluation={**json.loads(REPORT.to_json())["evaluation"], **fields})


def first_reader(**fields: object) -> str:
    first, *others = json.loads(REPORT.to_json())["evaluation"]["readers"]
    return evaluation(readers=[{**first, **fields}, *others])


def entry(**fields: object) -> str:
    good = {
        "kind": "error",
        "readers": [MODELS[0].key],
        "sha256": "a" * 64,
        "label": 0,
        "scores": [1],
    }
    return changed(gallery=[{**good, **fields}])


def temperature(value: float) -> str:
    first, *others = json.loads(REPORT.to_json())["models"]
    return changed(models=[{**first, "temperature": value}, *others])


def test_the_changes_below_start_from_what_is_read():
    for text in (changed(), first_row(), evaluation(), first_reader(), entry(), temperature(2.0)):
        read_back(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        changed(schema="her2review-evaluation/0"),
        changed(surprise=1),
        changed(rows=[]),
        changed(rows="none"),
        changed(models=[]),
        changed(created=None),
        first_row(label=4),
        first_row(label=True),
        first_row(tissue=float("nan")),
        first_row(probabilities={}),
        first_row(probabilities={model.key: [0.5, 0.5, 0.5, 0.5] for model in MODELS}),
        first_row(probabilities={model.key: [0.5, 0.5] for model in MODELS}),
        entry(sha256="../../etc/passwd"),
        entry(label=9),
        entry(scores=[7]),
        entry(scores=[1, 2]),
        entry(readers=["nobody"]),
        temperature(0.0),
        temperature(-1.0),
        evaluation(readers=[]),
        first_reader(key="nobody"),
        first_reader(coverage=[]),
        evaluation(
            pairs=[
                {**pair, "first": "nobody"}
                for pair in json.loads(REPORT.to_json())["evaluation"]["pairs"]
            ]
        ),
    ],
)
def test_what_is_no_report_is_refused_with_what_to_do(text):
    with pytest.raises(ReportError, match=r"“r” cannot be used: .*training\.evaluate"):
        read_back(text)


def test_own_reports_come_first_and_names_met_twice_are_told_apart(tmp_path):
    own, shipped = tmp_path / "home" / "reports", tmp_path / "data" / "reports"
    for root, names in ((own, ["b"]), (shipped, ["a", "b", "half"])):
        for name in names:
            (root / name).mkdir(parents=True)
            if name != "half":
                (root / name / REPORT_FILE).write_text("{}")
    found = find_reports((own, shipped, tmp_path / "nowhere"))
    assert list(found) == ["b", "a", "data/b"]
    assert found["data/b"] == shipped / "b" / REPORT_FILE


def test_every_plot_is_drawn_light_and_dark_and_as_a_picture():
    gaps = a_report("Gaps", some_rows(6, classes=(0, 2), per_group=0), n_boot=100)
    for report, dark in ((REPORT, False), (gaps, True)):
        for _, plot in report_plots(report.evaluation.readers[:1]):
            assert plot.title in plotly_figure(plot, dark=dark).layout.title.text
            image = Image.open(io.BytesIO(picture(plot)))
            assert image.width == 1000
            assert len(image.convert("RGB").getcolors(10**6)) > 8


def test_the_page_stands_alone_and_a_name_brings_no_markup(tmp_path):
    models = (a_model("cnn", name=HOSTILE, training_data=HOSTILE), MODELS[1])
    rows = tuple(replace(row, group=HOSTILE, file=HOSTILE) for row in some_rows(6))
    report = a_report(HOSTILE, rows, models=models, n_boot=100)
    shown = report.gallery[0].sha256
    Image.new("RGB", (50, 50), "brown").save(tmp_path / f"{shown}.png")
    page = report_html(report, tmp_path)
    # every plot once, and the four figures before them
    assert page.count("Plotly.newPlot(") == len(report_plots(report.evaluation.readers)) + 1
    # printed, it begins with a cover that says what was measured and by which models
    cover = page.split('<section class="cover">')[1].split("</section>")[0]
    assert all(model.key in cover for model in report.models)
    assert report.created[:10] in cover
    assert "<h2>Limits</h2>" in page
    assert page.count("plotly.js v") == 1
    assert page.count("data:image/jpeg;base64,") == sum(e.sha256 == shown for e in report.gallery)
    assert "<img src=x" not in page
    body = page[page.index("<body>") :]
    assert "&lt;img src=x onerror" in body
    for outside in ('src="http', "src='http", 'href="http', "@import"):
        assert outside not in body
    assert "Research use only" in body


def test_rows_are_written_for_spreadsheets_without_formulas():
    rows = (replace(REPORT.rows[0], file="=cmd|'/c calc'!A1.png", group="@x"), *REPORT.rows[1:])
    read = list(csv.DictReader(io.StringIO(rows_csv(rows, MODELS).decode("utf-8-sig"))))
    assert len(read) == len(rows)
    assert read[0]["file"].startswith("'=")
    assert read[0]["group"] == "'@x"
    four = rows[3].probabilities[MODELS[0].key]
    assert float(read[3]["cnn-0123456789ab p_2plus"]) == pytest.approx(four[2])
    assert read[3]["label"] == "0"


def test_two_models_are_compared_in_words():
    (line,) = pair_lines(REPORT.evaluation)
    (pair,) = REPORT.evaluation.pairs
    assert f"only CNN right on {pair.only_first_right}" in line
    assert "DenseNet121 minus CNN: kappa" in line
    assert "McNemar" in line
