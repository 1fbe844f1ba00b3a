"""Figures on real tissue stand in README and on the Evaluation page as they were measured."""

import json

import pytest

from her2core.charts.external_table import (
    page_lines,
    read_external,
    readme_lines,
    right_at,
)
from her2core.charts.headline import source_plots
from her2core.charts.plotly_figures import plotly_figure
from her2core.models.ood.novelty import BANDS
from her2core.settings import PROJECT_ROOT

SHIPPED = PROJECT_ROOT / "benchmarks" / "external.json"


def test_every_labelled_source_has_a_line_for_each_reader():
    results = read_external(SHIPPED)
    assert results is not None
    lines = readme_lines(results)[2:]
    labelled = [row for row in results["rows"] if row["selection"] == "all" and row["labelled"]]
    assert len(lines) == len(labelled) > 0
    for row in labelled:
        figure = f"{row['figures']['accuracy']['value']:.2f}"
        assert any(
            row["source"] in line and row["reader"] in line and figure in line for line in lines
        )


def test_the_readme_shows_what_was_measured():
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    assert "\n".join(readme_lines(json.loads(SHIPPED.read_text(encoding="utf-8")))) in readme


def test_how_often_readings_were_right_at_a_distance_is_told_of_the_same_models_alone():
    results = json.loads(SHIPPED.read_text(encoding="utf-8"))
    rows = {row["band"]: row for row in results["distances"]}
    assert tuple(rows) == BANDS
    near = rows[BANDS[0]]
    said = right_at(results, BANDS[0], results["models"])
    assert f"{near['exact']} of {near['readings']} readings" in said
    assert right_at(results, BANDS[0], ["another-model"]) == ""
    assert right_at(None, BANDS[0], results["models"]) == ""
    assert any(
        line.startswith(f"| {BANDS[0]} | {near['readings']} |") for line in page_lines(results)
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [1]}', '{"rows": 3, "models": []}'])
def test_another_file_gives_no_table(tmp_path, text):
    path = tmp_path / "external.json"
    assert read_external(path) is None
    path.write_text(text, encoding="utf-8")
    assert read_external(path) is None


def test_the_plots_show_what_was_measured_and_leave_the_mean_of_sources_out():
    results = read_external(SHIPPED)
    assert results is not None
    exact, within_one = source_plots(results)
    assert not any("mean of" in label for label in exact.labels)
    assert "DenseNet121" in exact.readers
    row = next(row for row in results["rows"] if row["reader"] == "densenet121")
    column = exact.readers.index("DenseNet121")
    assert exact.values[0][column].value == row["figures"]["accuracy"]["value"]
    assert within_one.values[0][column].value == row["figures"]["within_one"]["value"]


def test_a_reader_that_gave_few_scores_is_drawn_hollow_and_says_how_few():
    results = read_external(SHIPPED)
    assert results is not None
    row = next(
        row
        for row in results["rows"]
        if row["reader"] == "stain measurement" and 0 < row["scored"] < row["labelled"]
    )
    exact, within_one = source_plots(results)
    place = [label.startswith(row["source"]) for label in exact.labels].index(True)
    column = exact.readers.index("Stain measurement")
    words = f"({row['scored']} of {row['labelled']})"
    assert exact.partial[place][column] == words
    figure = plotly_figure(exact)
    points = figure.data[column]
    assert [symbol.endswith("-open") for symbol in points.marker.symbol] == [
        bool(partial[column]) for partial in exact.partial
    ]
    assert any(text.endswith(words) for text in points.customdata)
    assert words in [note.text for note in figure.layout.annotations]
    assert figure.layout.showlegend
    assert not plotly_figure(within_one).layout.showlegend
