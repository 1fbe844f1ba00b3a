"""What is looked at before everything else: real tissue by source, four figures, whole groups."""

from collections.abc import Mapping, Sequence
from typing import Any

from her2core.charts.external_table import AGREED, ALL_SOURCES, MEAN, STAIN, labelled_rows
from her2core.charts.plots import IntervalPlot, interval_plot
from her2core.charts.words import STAIN_TITLE
from her2core.evaluation.intervals import Interval, undefined
from her2core.evaluation.names import TITLES
from her2core.evaluation.report import ReaderEvaluation
from her2core.models.architectures import model_name

_NAMES = {MEAN: "Mean probability", AGREED: "Networks agree", STAIN: STAIN_TITLE}
_FIGURES = ("accuracy", "within_one", "kappa", "ece")


def headline_plot(readers: Sequence[ReaderEvaluation]) -> IntervalPlot:
    """The four figures to look at first."""
    return interval_plot("Four figures", readers, [(TITLES[name], name, "") for name in _FIGURES])


def group_plot(readers: Sequence[ReaderEvaluation]) -> IntervalPlot | None:
    """How right the scores of whole groups are; None where no group has several patches."""
    levels = [(reader.title, reader.group_level) for reader in readers if reader.group_level]
    if not levels:
        return None
    return IntervalPlot(
        f"Groups of several patches (n = {levels[0][1].exact.n})",
        ("Exact", "Within one grade"),
        tuple(title for title, _ in levels),
        (
            tuple(level.exact for _, level in levels),
            tuple(level.within_one for _, level in levels),
        ),
    )


def source_plots(results: Mapping[str, Any]) -> list[IntervalPlot]:
    """How often every reader was right, and at most one grade away, source by source."""
    rows = [row for row in labelled_rows(results) if row["source"] != ALL_SOURCES]
    readers = tuple(dict.fromkeys(row["reader"] for row in rows))
    sources = {row["source"]: row["labelled"] for row in rows}
    by_place = {(row["source"], row["reader"]): row for row in rows}
    cells = [[by_place.get((source, reader)) for reader in readers] for source in sources]
    return [
        IntervalPlot(
            title,
            tuple(f"{source} (n = {n})" for source, n in sources.items()),
            tuple(_NAMES.get(reader, model_name(reader)) for reader in readers),
            tuple(tuple(_interval(cell, name) for cell in row) for row in cells),
            partial=tuple(tuple(_partial(cell) for cell in row) for row in cells),
            legend=legend,
        )
        for name, title, legend in (
            ("accuracy", "Exact score", True),
            ("within_one", "Within one grade", False),
        )
    ]


def _interval(row: Mapping[str, Any] | None, name: str) -> Interval:
    figure = row["figures"].get(name) if row else None
    return Interval(**figure) if figure else undefined(0, "Not measured.")


def _partial(row: Mapping[str, Any] | None) -> str:
    """Of how many fields a reader's figure is, where it gave a score to fewer than all."""
    if row is None or not 0 < row["scored"] < row["labelled"]:
        return ""
    return f"({row['scored']} of {row['labelled']})"
