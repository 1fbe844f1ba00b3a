"""What each plot of a report shows, free of any drawing library.

charts.py draws these with plotly for the page, pictures.py as PNG: one description, so that both
show the same. Every series says its n and its interval in its name or at its points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from her2core.evaluation.agreement import Interval
from her2core.evaluation.names import CUT_OFFS, TITLES
from her2core.evaluation.report import ReaderEvaluation
from her2core.scores import CLASS_LABELS

MAIN_FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "within_one",
    "macro_f1",
    "macro_roc_auc",
    "macro_pr_auc",
    "kappa",
)
Values = tuple[float, ...]


@dataclass(frozen=True)
class Series:
    """One line, or one row of points, of a plot.

    Attributes:
        name: for the legend.
        style: number of colour, dash and marker, from 0.
        x, y: the points.
        low, high: interval of each y; None where there is none.
        points: draw markers.
        texts: what to say of each point; empty for none.
    """

    name: str
    style: int
    x: Values
    y: Values
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    points: bool = False
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class LinePlot:
    """Lines over two numeric axes.

    Attributes:
        diagonal: "up" draws the line from (0, 0) to (1, 1), "" none.
        note: why nothing is drawn; empty where something is.
    """

    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    diagonal: str = ""
    note: str = ""


@dataclass(frozen=True)
class IntervalPlot:
    """Figures as points with intervals, one row for each label, one colour for each reader.

    Attributes:
        labels: rows from top to bottom; a line break may divide one.
        readers: names in the legend.
        values: per row, per reader.
    """

    title: str
    labels: tuple[str, ...]
    readers: tuple[str, ...]
    values: tuple[tuple[Interval, ...], ...]

    @property
    def x_range(self) -> tuple[float, float]:
        """From 0, or from -1 where something lies below 0, to 1."""
        ends = [
            end
            for row in self.values
            for value in row
            for end in (value.value, value.low)
            if end is not None
        ]
        return (-1.0 if min(ends, default=0.0) < 0 else 0.0, 1.0)


@dataclass(frozen=True)
class TablePlot:
    """A confusion matrix: 4 x 4 counts with the shares of each row, truth in rows."""

    title: str
    x_title: str
    y_title: str
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float | None, ...], ...]


Plot = LinePlot | IntervalPlot | TablePlot


def figure_text(value: Interval) -> str:
    """A figure with its interval: "0.912 (0.887 to 0.934)", "0.912 (no interval)" or "–"."""
    if value.value is None:
        return "–"
    if value.low is None or value.high is None:
        return f"{value.value:.3f} (no interval)"
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def confusion_plot(reader: ReaderEvaluation) -> TablePlot:
    """Counts and row shares."""
    n = sum(map(sum, reader.confusion))
    return TablePlot(
        f"{reader.title}: confusion (n = {n})",
        f"{reader.title}",
        "Label",
        reader.confusion,
        reader.row_shares,
    )


def roc_plot(reader: ReaderEvaluation) -> LinePlot:
    """One ROC curve for each class against the rest."""
    return LinePlot(
        f"{reader.title}: ROC of each class",
        "False positive rate",
        "True positive rate",
        _class_lines(reader, "roc"),
        diagonal="up",
        note=_no_curve(reader),
    )


def pr_plot(reader: ReaderEvaluation) -> LinePlot:
    """One precision-recall curve for each class against the rest."""
    return LinePlot(
        f"{reader.title}: precision and recall",
        "Recall",
        "Precision",
        _class_lines(reader, "pr"),
        note=_no_curve(reader),
    )


def reliability_plot(reader: ReaderEvaluation) -> LinePlot:
    """Confidence against accuracy, before and after temperature scaling."""
    series = []
    for style, (bins, key, words) in enumerate(
        (
            (reader.reliability, "ece", "after temperature"),
            (reader.reliability_before, "ece_before", "before temperature"),
        )
    ):
        if not bins:
            continue
        figure = reader.figure(key)
        error = figure_text(figure.value) if figure else "–"
        series.append(
            Series(
                f"{words}, error {error}",
                style,
                tuple(one.confidence for one in bins),
                tuple(one.accuracy for one in bins),
                points=True,
                texts=tuple(f"n = {one.n}" for one in bins),
            )
        )
    n = sum(one.n for one in reader.reliability)
    return LinePlot(
        f"{reader.title}: calibration (n = {n})",
        "Confidence",
        "Share that is right",
        tuple(series),
        diagonal="up",
    )


def coverage_plot(readers: Sequence[ReaderEvaluation]) -> LinePlot:
    """Accuracy when the least certain patches are left to the pathologist."""
    series = tuple(
        Series(
            reader.title,
            style,
            tuple(point.coverage for point in reader.coverage),
            tuple(point.accuracy.value or 0.0 for point in reader.coverage),
            tuple(point.accuracy.low for point in reader.coverage),
            tuple(point.accuracy.high for point in reader.coverage),
            points=True,
            texts=tuple(
                f"{figure_text(point.accuracy)}, n = {point.accuracy.n}, "
                f"confidence from {point.confidence:.2f}"
                for point in reader.coverage
            ),
        )
        for style, reader in enumerate(readers)
    )
    ends = [end for one in series for end in (*one.y, *one.low) if end is not None]
    floor = max(0.0, min(0.9, min(ends, default=0.0)) - 0.05)
    n = readers[0].coverage[0].accuracy.n if readers else 0
    return LinePlot(
        f"Least certain left to the pathologist (n = {n})",
        "Share of patches the model keeps",
        "Accuracy on these",
        series,
        x_range=(0.0, 1.0),
        y_range=(round(floor, 1), 1.0),
    )


def main_plot(readers: Sequence[ReaderEvaluation]) -> IntervalPlot:
    """The overall figures of all readers."""
    return _intervals("Overall figures", readers, [(name, "") for name in MAIN_FIGURES])


def class_plot(readers: Sequence[ReaderEvaluation], name: str) -> IntervalPlot:
    """One per-class figure ("recall", ...) of all readers."""
    return _intervals(
        f"{TITLES[name]} of each class", readers, [(name, label) for label in CLASS_LABELS], by="of"
    )


def cut_off_plot(readers: Sequence[ReaderEvaluation]) -> IntervalPlot:
    """Sensitivity and specificity at the clinical cut-offs."""
    keys = [(name, cut.name) for cut in CUT_OFFS for name in ("sensitivity", "specificity")]
    return _intervals("Clinical cut-offs", readers, keys, by="both")


def report_plots(readers: Sequence[ReaderEvaluation]) -> list[tuple[str, Plot]]:
    """Every plot of a report with a file name for it, without extension."""
    plots: list[tuple[str, Plot]] = [
        ("overall", main_plot(readers)),
        ("recall", class_plot(readers, "recall")),
        ("cut-offs", cut_off_plot(readers)),
        ("coverage", coverage_plot(readers)),
    ]
    for reader in readers:
        plots += [
            (f"confusion-{reader.key}", confusion_plot(reader)),
            (f"roc-{reader.key}", roc_plot(reader)),
            (f"precision-recall-{reader.key}", pr_plot(reader)),
            (f"reliability-{reader.key}", reliability_plot(reader)),
        ]
    return plots


def _class_lines(reader: ReaderEvaluation, kind: str) -> tuple[Series, ...]:
    found = []
    for style, curve in enumerate(reader.roc if kind == "roc" else reader.pr):
        figure = reader.figure(f"{kind}_auc", curve.of)
        positives = reader.figure("recall", curve.of)
        if not curve.x or figure is None or positives is None:
            continue
        name = f"{curve.of}: area {figure_text(figure.value)}, n = {positives.value.n}"
        found.append(Series(name, style, curve.x, curve.y))
    return tuple(found)


def _no_curve(reader: ReaderEvaluation) -> str:
    missing = [curve.of for curve in reader.roc if not curve.x]
    if len(missing) == len(reader.roc):
        return "No curve: all patches carry one label."
    return ""


def _intervals(
    title: str,
    readers: Sequence[ReaderEvaluation],
    keys: Sequence[tuple[str, str]],
    by: str = "name",
) -> IntervalPlot:
    nothing = Interval(None, None, None, 0, "Not measured.")
    labels, values = [], []
    for name, of in keys:
        figures = [reader.figure(name, of) for reader in readers]
        row = tuple(figure.value if figure else nothing for figure in figures)
        words = {"name": TITLES[name], "of": of, "both": f"{of}\n{TITLES[name].lower()}"}[by]
        counts = sorted({value.n for value in row})
        span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        labels.append(f"{words} (n = {span})")
        values.append(row)
    return IntervalPlot(title, tuple(labels), tuple(r.title for r in readers), tuple(values))
