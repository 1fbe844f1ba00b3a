"""Figures say what the numbers say, on either ground, and take no orders from a name."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from her2core.charts import fidelity as fidelity_charts
from her2core.charts import verdicts as charts
from her2core.charts.differences import differences_figure
from her2core.charts.pictures import picture
from her2core.charts.plotly_figures import agreement_intervals, agreement_table, plotly_figure
from her2core.charts.plots import LinePlot, Series
from her2core.charts.theme import readable_on
from her2core.charts.words import figure_text
from her2core.common.text import percent
from her2core.evaluation.intervals import Interval
from her2core.models.verdict import Verdict
from her2core.xai.fidelity_report import Measured, MethodFidelity, ModelFidelity

CNN = Verdict("cnn", "cnn-1", (0.03, 0.12, 0.846, 0.004), demo=True)
DENSENET = Verdict("densenet121", "densenet121-1", (0.0, 0.05, 0.15, 0.80), demo=True)
CHECKED = ModelFidelity(
    "cnn-1",
    tuple(
        MethodFidelity(name, {"gain": Measured(0.2, 0.1, 0.3, 5)}, (0.9, 0.4, 0.1), (0.1, 0.6, 0.9))
        for name in ("grad_cam", "shap", "random")
    ),
)


def test_both_models_share_one_axis():
    figure = charts.probability_figure([CNN, DENSENET])

    assert [trace.name for trace in figure.data] == ["CNN", "DenseNet121"]
    assert figure.layout.barmode == "group"
    for trace, verdict in zip(figure.data, (CNN, DENSENET), strict=True):
        assert trace.x == ("0", "1+", "2+", "3+")
        assert trace.y == pytest.approx([100 * p for p in verdict.probabilities])
        assert trace.yaxis is None
    assert figure.layout.xaxis.title.text == "HER2 score"
    assert figure.layout.yaxis.title.text == "Probability"


def test_models_differ_by_more_than_colour():
    cnn, densenet = charts.probability_figure([CNN, DENSENET]).data
    assert cnn.marker.color != densenet.marker.color
    assert cnn.marker.pattern.shape != densenet.marker.pattern.shape


def test_the_score_given_is_the_one_in_bold():
    cnn, _ = charts.probability_figure([CNN, DENSENET]).data
    assert list(cnn.text) == ["3", "12", "<b>85</b>", "&lt;1"]


@given(st.floats(min_value=0, max_value=1))
def test_percent_never_rounds_a_possibility_away(share):
    text = percent(share)
    assert (text == "0 %") == (share == 0)
    assert (text == "100 %") == (share == 1)


@pytest.mark.parametrize("dark", [False, True])
def test_every_figure_is_transparent(dark):
    kappa = Interval(0.5, 0.2, 0.7, 12)
    figures = [
        charts.probability_figure([CNN], dark=dark),
        plotly_figure(agreement_table(((1, 0, 0, 0),) * 4, "Reviewers", "CNN"), dark=dark),
        plotly_figure(agreement_intervals([("CNN", kappa)], "Kappa"), dark=dark),
        fidelity_charts.curves_figure(CHECKED, dark=dark),
    ]
    for figure in figures:
        assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
        assert figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert figure.layout.font.color == ("#FAFAFA" if dark else "#31333F")


def test_confusion_counts_are_written_where_they_belong():
    confusion = ((12, 3, 0, 0), (2, 9, 1, 0), (0, 2, 7, 1), (0, 0, 1, 4))
    figure = plotly_figure(agreement_table(confusion, "Reviewers", "CNN"))

    written = {(note.y, note.x): note.text for note in figure.layout.annotations}
    assert written[0, 1] == "<b>3</b>"
    assert written[1, 0] == "<b>2</b>"
    assert written[3, 0] == "<b>0</b>"
    assert figure.layout.yaxis.autorange == "reversed"
    assert figure.layout.yaxis.title.text == "CNN"
    assert figure.layout.xaxis.title.text == "Reviewers"


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_text_on_colour_keeps_a_legible_contrast(rgb):
    def luminance(colour):
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    text = readable_on(rgb).lstrip("#")
    ink = luminance([int(text[i : i + 2], 16) for i in (0, 2, 4)])
    ground = luminance(rgb)
    contrast = (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05)
    assert contrast >= 4.2


def test_intervals_reach_to_their_bounds_and_undefined_gets_no_point():
    rows = [
        ("CNN", Interval(0.5, 0.2, 0.7, 12)),
        ("DenseNet121", Interval(None, None, None, 0, "There is nothing to compare yet.")),
    ]
    figure = plotly_figure(agreement_intervals(rows, "Kappa"))

    (points,) = figure.data
    assert list(points.x) == [0.5]
    assert points.error_x.array == pytest.approx([0.2])
    assert points.error_x.arrayminus == pytest.approx([0.3])
    assert [note.text for note in figure.layout.annotations] == ["not defined"]
    assert figure.layout.xaxis.range == pytest.approx((-0.02, 1.02))


def test_an_interval_below_zero_stays_on_the_axis():
    rows = [("CNN", Interval(0.1, -0.4, 0.5, 12))]
    figure = plotly_figure(agreement_intervals(rows, "Kappa"))
    assert figure.layout.xaxis.range == pytest.approx((-1.02, 1.02))


def test_a_name_cannot_bring_its_own_markup():
    rows = [("<a href='https://example.org'>x</a>", Interval(0.5, 0.2, 0.7, 12))]
    figure = plotly_figure(agreement_intervals(rows, "Kappa"))
    assert "<a" not in figure.to_json()
    assert "\\u003ca" not in figure.to_json()
    assert figure.layout.yaxis.ticktext[0].startswith("&lt;a")


def test_interval_in_words():
    assert figure_text(Interval(0.613, 0.32, 0.83, 9), digits=2) == "0.61 (0.32 to 0.83)"
    text = figure_text(Interval(0.75, 0.41, 0.93, 9), as_percent=True)
    assert text == "75 % (41 % to 93 %)"
    assert figure_text(Interval(None, None, None, 0, "Nothing.")) == "–"
    assert figure_text(Interval(1.0, None, None, 3, "All agree."), digits=2) == "1.00 (no interval)"


def test_curves_of_every_method_stand_in_both_panels_and_differ_by_more_than_colour():
    figure = fidelity_charts.curves_figure(CHECKED)
    assert len(figure.data) == 6
    names = [trace.name for trace in figure.data if trace.showlegend]
    assert names == ["Grad-CAM", "SHAP", "Random order"]
    by_panel = {axis: [t for t in figure.data if t.xaxis == axis] for axis in ("x", "x2")}
    for traces, name in zip(by_panel.values(), ("deletion", "insertion"), strict=True):
        assert len({(trace.line.dash, trace.line.color) for trace in traces}) == 3
        assert len({trace.line.dash for trace in traces}) == 3
        for trace, method in zip(traces, CHECKED.methods, strict=True):
            assert list(trace.x) == [0, 50, 100]
            assert list(trace.y) == pytest.approx([100 * p for p in getattr(method, name)])


def line_plot(*names: str) -> LinePlot:
    many = tuple(Interval(0.5, 0.3, 0.7, 20) for _ in range(3))
    series = [
        Series(name, style, (0.2, 0.5, 1.0), (0.5,) * 3, many, points=True)
        for style, name in enumerate(names)
    ]
    return LinePlot(f"Title of {names[0]}", "x", "y", tuple(series))


def test_intervals_of_several_readers_at_one_place_stand_side_by_side():
    plot = line_plot("a", "b", "c")
    assert len(set(plot.asides)) == 3
    assert sum(plot.asides) == pytest.approx(0)
    assert LinePlot("", "", "", (Series("a", 0, (0.1,), (0.2,)),)).asides == (0.0,)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name", ["染色", "$\\frac{a}$", "_hidden", "", "\x00\n\ud800", "a" * 400, "🔬 <b>x</b>"]
)
def test_no_name_spoils_a_picture_or_leaves_boxes_in_it(name):
    """matplotlib warns of a missing glyph, which is an error here."""
    table = agreement_table(((3, 0, 0, 0),) * 4, name, name)
    intervals = agreement_intervals([(name, Interval(0.5, 0.2, 0.7, 12))], "Kappa")
    for plot in (line_plot(name, "second"), table, intervals):
        assert Image.open(io.BytesIO(picture(plot))).width == 1000


def test_a_picture_of_calibration_shows_how_many_patches_stand_behind_each_point():
    plain = line_plot("a", "b")
    counted = replace(plain, series=tuple(replace(s, counts=(3, 50, 400)) for s in plain.series))
    without, with_counts = (Image.open(io.BytesIO(picture(p))) for p in (plain, counted))
    assert with_counts.height > without.height + 100


def test_the_same_plot_gives_the_same_picture():
    assert picture(line_plot("a")) == picture(line_plot("a"))


def test_pages_do_not_wait_for_the_library_of_pictures():
    code = (
        "import sys; import her2core.charts.plotly_figures, her2core.charts.verdicts, "
        "her2core.charts.report_page; sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_differences_are_counted_by_grades_and_direction():
    # the first reader said 3+ where the second said 0 once, 1+ where it said 2+ twice
    table = ((4, 0, 0, 0), (0, 3, 2, 0), (0, 0, 0, 0), (1, 0, 0, 0))
    figure = differences_figure({"CNN": table})
    assert [bar.customdata[0] for bar in figure.data] == [0, 2, 7, 0, 1]
    assert sum(bar.x[0] for bar in figure.data) == pytest.approx(1)
    assert figure.data[0].y == ("CNN (n = 10)",)
