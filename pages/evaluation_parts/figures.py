"""The figures of one report, or of two side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

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
from her2core.common.text import cell_text, markdown_text, printable
from her2core.evaluation.names import AT_CUT_OFF, CUT_OFFS, OVERALL, PER_CLASS, TITLES
from her2core.evaluation.report import Evaluation, ReaderEvaluation
from her2core.scores import CLASS_LABELS, RULE_TEXT
from pages.shell import ui

Titled = Sequence[tuple[str, Evaluation]]
OfReader = Callable[[ReaderEvaluation], Plot]
Keys = Sequence[tuple[str, str, str]]

_OVERALL: Keys = [(TITLES[name], name, "") for name in OVERALL]
_CLASSES: Keys = [(f"{of}: {TITLES[name]}", name, of) for of in CLASS_LABELS for name in PER_CLASS]
_CUT_OFFS: Keys = [
    (f"{cut.name}: {TITLES[name].lower()}", name, cut.name)
    for cut in CUT_OFFS
    for name in AT_CUT_OFF
]
# of two reports, in heads of columns: whole titles would hide the figures; a legend tells them
_PLACES = ("first report", "second report")


def draw(reports: Titled) -> None:
    """Tables and plots; with two reports each plot stands beside its counterpart."""
    if len(reports) == 2:
        st.markdown(
            "  \n".join(
                f"**{place.capitalize()}:** {markdown_text(title)}"
                for place, (title, _) in zip(_PLACES, reports, strict=True)
            )
        )
        st.caption(
            "The reports rest on different patches unless their data is the same: intervals that "
            "overlap do not show that two models are equal, and no difference is tested here."
        )
    _table("Overall figures", reports, _OVERALL, "overall")
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
    _groups(reports)
    st.subheader("Clinical cut-offs", divider=False, anchor=False)
    _table("Clinical cut-offs", reports, _CUT_OFFS, "cut_offs")
    _side_by_side(
        reports,
        [
            ("cut-offs", lambda found: cut_off_plot(found.readers)),
            ("recall", lambda found: recall_plot(found.readers)),
        ],
    )
    with st.expander("All figures of each class"):
        _table("Figures of each class", reports, _CLASSES, "classes")
    st.subheader("One model at a time", divider=False, anchor=False)
    _one_reader(reports)
    st.caption(METHOD)


def _one_reader(reports: Titled) -> None:
    """Plots that show one reader at a time."""
    titles = list(dict.fromkeys(r.title for _, found in reports for r in found.readers))
    picked = st.segmented_control(
        "Model", titles, default=titles[-1], required=True, key="report_reader"
    )

    def of_picked(draw_one: OfReader, found: Evaluation) -> Plot | None:
        reader = next((r for r in found.readers if r.title == picked), None)
        return draw_one(reader) if reader else None

    plots: dict[str, OfReader] = {
        "confusion": confusion_plot,
        "reliability": reliability_plot,
        "roc": roc_plot,
        "precision-recall": pr_plot,
    }
    _side_by_side(reports, [(name, partial(of_picked, plot)) for name, plot in plots.items()])


def _side_by_side(
    reports: Titled, plots: Sequence[tuple[str, Callable[[Evaluation], Plot | None]]]
) -> None:
    """One report: two plots to a row. Two reports: each plot of one beside that of the other."""
    cells = [
        (f"{name}-{number}", title, plot(found))
        for name, plot in plots
        for number, (title, found) in enumerate(reports)
    ]
    for start in range(0, len(cells), 2):
        row = cells[start : start + 2]
        columns = st.columns(2)
        for column, (name, title, plot) in zip(columns, row, strict=False):
            with column:
                if plot is None:
                    st.caption(f"{markdown_text(title)} holds no such model.")
                    continue
                _chart(name, title if len(reports) == 2 else "", plot)


def _chart(name: str, report_title: str, plot: Plot) -> None:
    figure = plotly_figure(plot, dark=ui.is_dark())
    if report_title:
        st.markdown(f":gray[{markdown_text(report_title)}]")
    st.plotly_chart(
        ui.on_page_ground(figure),
        theme=None,
        key=f"report_plot_{name}",
        config=ui.chart_config(name),
        alt=printable(plot.title),
    )


def _columns(reports: Titled) -> list[tuple[str, ReaderEvaluation]]:
    """Every reader with a heading; of two reports the same reader stands side by side."""
    readers = [
        (f"{reader.title}, {place}" if len(reports) == 2 else reader.title, reader)
        for place, (_, found) in zip(_PLACES, reports, strict=False)
        for reader in found.readers
    ]
    titles = list(dict.fromkeys(reader.title for _, reader in readers))
    return sorted(readers, key=lambda entry: titles.index(entry[1].title))


def _table(title: str, reports: Titled, keys: Keys, key: str) -> None:
    """Every figure with interval and n; why one is missing stands below."""
    readers = _columns(reports)
    rows: list[dict[str, object]] = []
    for words, name, of in keys:
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
        alt=f"{title} with 95 % intervals and the number of patches",
    )
    for note in _reasons(readers, keys):
        st.caption(markdown_text(note))


def _cell(reader: ReaderEvaluation, name: str, of: str) -> str:
    figure = reader.figure(name, of)
    return "" if figure is None else f"{figure_text(figure.value)}, n = {figure.value.n}"


def _reasons(readers: Sequence[tuple[str, ReaderEvaluation]], keys: Keys) -> list[str]:
    """Why a value or an interval is missing, each reason once with where it holds."""
    found: dict[str, list[str]] = {}
    for head, reader in readers:
        for words, name, of in keys:
            figure = reader.figure(name, of)
            if figure is not None and figure.value.reason:
                found.setdefault(figure.value.reason, []).append(f"{head}, {words}")
    return [
        f"{reason} ({'; '.join(places[:3])}{'; ...' if len(places) > 3 else ''})"
        for reason, places in found.items()
    ]


def _groups(reports: Titled) -> None:
    """Verdicts on groups of several patches."""
    levels = [(head, reader.group_level) for head, reader in _columns(reports)]
    rows = [
        {
            "Model": printable(head),
            "Groups": level.exact.n,
            "Exact": figure_text(level.exact),
            "Within one grade": figure_text(level.within_one),
        }
        for head, level in levels
        if level is not None
    ]
    if not rows:
        return
    st.subheader("Groups of several patches", divider=False, anchor=False)
    st.caption(
        f"A group (core, slide, patient) has the highest score that more than {RULE_TEXT} of its "
        "patches with tissue reach."
    )
    st.dataframe(rows, hide_index=True, key="report_table_groups", alt="Verdicts on groups")
    with st.expander("Each group"):
        st.dataframe(
            [
                {
                    "Model": printable(head),
                    "Group": cell_text(one.group),
                    "Patches": one.n,
                    "Label": CLASS_LABELS[one.truth],
                    "Verdict": CLASS_LABELS[one.verdict],
                }
                for head, level in levels
                if level is not None
                for one in level.groups
            ],
            hide_index=True,
            key="report_table_each_group",
            alt="Label and verdict of each group",
        )
