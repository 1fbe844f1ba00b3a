"""The figures of one report, or of two side by side."""

from collections.abc import Callable, Sequence

import streamlit as st

from her2core.charts.headline import group_plot, headline_plot
from her2core.charts.plotly_figures import plotly_figure
from her2core.charts.plots import (
    Plot,
    confusion_plot,
    coverage_plot,
    cut_off_plot,
    main_plot,
    pr_plot,
    recall_plot,
    reliability_plot,
    roc_plot,
)
from her2core.charts.words import METHOD, figure_text, pair_lines
from her2core.common.interval_level import LEVEL_TEXT
from her2core.common.text import cell_text, markdown_text, printable
from her2core.evaluation.names import CLASS_LINES, CUT_OFF_LINES, OVERALL_LINES, Line
from her2core.evaluation.report import Evaluation, ReaderEvaluation
from her2core.scores import CLASS_LABELS, RULE_TEXT
from pages.shell import charts, ui

Titled = Sequence[tuple[str, Evaluation]]
OfReader = Callable[[ReaderEvaluation], Plot]

# of two reports, in heads of columns: whole titles would hide the figures; a legend tells them
_PLACES = ("first report", "second report")
_HEADLINE = (
    "Accuracy: how often the score was the label. Within one grade: at most one grade away. Kappa: "
    "agreement beyond chance, where two grades weigh four times as much as one. Calibration error: "
    "how far the stated confidence is from how often it was right (smaller is better). Lines are "
    f"{LEVEL_TEXT} intervals. A group (core, slide, patient) has the highest score that more than "
    f"{RULE_TEXT} of its patches with tissue reach."
)


def draw(reports: Titled) -> None:
    """Pictures of what counts first; every other plot and all tables behind them."""
    if len(reports) == 2:
        st.markdown(
            "  \n".join(
                f"**{place.capitalize()}:** {markdown_text(title)}"
                for place, (title, _) in zip(_PLACES, reports, strict=True)
            )
        )
        st.caption(
            "The reports rest on different patches unless their data is the same: intervals that "
            "overlap do not show that two models are equal. What both read is compared above."
        )
    _in_a_row(reports, "confusion", confusion_plot)
    st.caption(
        "Rows are the labels, columns what the model said: everything off the diagonal is an error."
    )
    _side_by_side(
        reports,
        [
            ("headline", lambda found: headline_plot(found.readers)),
            ("groups", lambda found: group_plot(found.readers)),
        ],
    )
    st.caption(_HEADLINE)
    _in_a_row(reports, "roc", roc_plot)
    st.caption("The nearer a curve to the upper left corner, the better its class is told apart.")
    behind = st.expander(
        "All figures, clinical cut-offs and calibration", on_change="rerun", key="report_behind"
    )
    if behind.open:
        with behind:
            _behind(reports)


def _behind(reports: Titled) -> None:
    """Tables, cut-offs, calibration, and why a figure or an interval is missing."""
    _table("Overall figures", reports, OVERALL_LINES, "overall")
    for title, found in reports:
        for line in pair_lines(found):
            where = f"**{markdown_text(title)}.** " if len(reports) == 2 else ""
            st.markdown(where + markdown_text(line))
    _side_by_side(
        reports,
        [
            ("overall", lambda found: main_plot(found.readers)),
            ("coverage", lambda found: coverage_plot(found.readers)),
        ],
    )
    st.subheader("Clinical cut-offs", divider=False, anchor=False)
    _table("Clinical cut-offs", reports, CUT_OFF_LINES, "cut_offs")
    _side_by_side(
        reports,
        [
            ("cut-offs", lambda found: cut_off_plot(found.readers)),
            ("recall", lambda found: recall_plot(found.readers)),
        ],
    )
    st.subheader("Figures of each class", divider=False, anchor=False)
    _table("Figures of each class", reports, CLASS_LINES, "classes")
    _each_group(reports)
    st.subheader("Calibration, precision and recall", divider=False, anchor=False)
    _in_a_row(reports, "reliability", reliability_plot)
    _in_a_row(reports, "precision-recall", pr_plot)
    st.caption(METHOD)


def _in_a_row(reports: Titled, name: str, plot: OfReader) -> None:
    """The plot of every reader of a report beside each other, a row for each report."""
    for number, (title, found) in enumerate(reports):
        above = title if len(reports) == 2 else ""
        grid = st.grid(len(found.readers), min_column_width=240)  # what a legend needs
        for reader in found.readers:
            with grid.cell():
                chart(f"{name}-{number}-{reader.key}", above, plot(reader))


def _side_by_side(
    reports: Titled, plots: Sequence[tuple[str, Callable[[Evaluation], Plot | None]]]
) -> None:
    """One report: two plots to a row. Two reports: each plot of one beside that of the other."""
    grid = st.grid(2)
    for name, plot in plots:
        for number, (title, found) in enumerate(reports):
            if (drawn := plot(found)) is not None:
                with grid.cell():
                    chart(f"{name}-{number}", title if len(reports) == 2 else "", drawn)


def chart(name: str, report_title: str, plot: Plot) -> None:
    figure = plotly_figure(plot, dark=ui.is_dark())
    if report_title:
        st.markdown(f":gray[{markdown_text(report_title)}]")
    charts.show(figure, f"report_plot_{name}", printable(plot.title), saved_as=name)


def _columns(reports: Titled) -> list[tuple[str, ReaderEvaluation]]:
    """Every reader with a heading; of two reports the same reader stands side by side."""
    readers = [
        (f"{reader.title}, {place}" if len(reports) == 2 else reader.title, reader)
        for place, (_, found) in zip(_PLACES, reports, strict=False)
        for reader in found.readers
    ]
    titles = list(dict.fromkeys(reader.title for _, reader in readers))
    return sorted(readers, key=lambda entry: titles.index(entry[1].title))


def _table(title: str, reports: Titled, lines: Sequence[Line], key: str) -> None:
    """Every figure with interval and n; why one is missing stands below."""
    readers = _columns(reports)
    rows: list[dict[str, object]] = []
    for words, name, of in lines:
        cells = {printable(head): _cell(reader, name, of) for head, reader in readers}
        if any(cell != "" for cell in cells.values()):
            rows.append({"Figure": words, **cells})
    st.dataframe(
        rows,
        hide_index=True,
        height="content",
        key=f"report_table_{key}",
        # two reports of three readers are wider than a screen: which figure it is stays in sight
        column_config={"Figure": st.column_config.TextColumn(pinned=len(reports) == 2)},
        alt=f"{title} with {LEVEL_TEXT} intervals and the number of patches",
    )
    for note in _reasons(readers, lines):
        st.caption(markdown_text(note))


def _cell(reader: ReaderEvaluation, name: str, of: str) -> str:
    figure = reader.figure(name, of)
    return "" if figure is None else f"{figure_text(figure.value)}, n = {figure.value.n}"


def _reasons(readers: Sequence[tuple[str, ReaderEvaluation]], lines: Sequence[Line]) -> list[str]:
    """Why a value or an interval is missing, each reason once with where it holds."""
    by_reason: dict[str, list[str]] = {}
    for head, reader in readers:
        for words, name, of in lines:
            figure = reader.figure(name, of)
            if figure is not None and figure.value.reason:
                by_reason.setdefault(figure.value.reason, []).append(f"{head}, {words}")
    return [
        f"{reason} ({'; '.join(places[:3])}{'; ...' if len(places) > 3 else ''})"
        for reason, places in by_reason.items()
    ]


def _each_group(reports: Titled) -> None:
    """Label and verdict of each group of several patches."""
    rows = [
        {
            "Model": printable(head),
            "Group": cell_text(one.group),
            "Patches": one.n,
            "Label": CLASS_LABELS[one.truth],
            "Verdict": CLASS_LABELS[one.verdict],
        }
        for head, reader in _columns(reports)
        if reader.group_level is not None
        for one in reader.group_level.groups
    ]
    if not rows:
        return
    st.subheader("Each group of several patches", divider=False, anchor=False)
    st.dataframe(
        rows,
        hide_index=True,
        key="report_table_each_group",
        alt="Label and verdict of each group",
    )
