"""What each plot of a report shows, free of any drawing library.

plotly_figures.py draws these for pages, pictures.py as PNG. Every series says its n and its
interval in its name or at its points.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from her2core.charts.words import figure_text
from her2core.evaluation.agreement import Confusion
from her2core.evaluation.curves import Curve
from her2core.evaluation.intervals import Interval, undefined
from her2core.evaluation.names import CUT_OFFS, MAIN, TITLES, Line
from her2core.evaluation.report import ReaderEvaluation
from her2core.models.assessable import NOT_ASSESSABLE
from her2core.scores import CLASS_LABELS, HER2Score

Values = tuple[float, ...]
_ASIDE = 0.008


@dataclass(frozen=True)
class Series:
    """One line, or one row of points, of a plot.

    Attributes:
        name: for the legend.
        style: number of colour, dash and marker, from 0.
        x, y: the points.
        intervals: of each y; empty for none.
        points: draw markers.
        texts: what to say of each point; empty for none.
        counts: patches behind each point, shown below it in pictures; empty for none.
    """

    name: str
    style: int
    x: Values
    y: Values
    intervals: tuple[Interval, ...] = ()
    points: bool = False
    texts: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class LinePlot:
    """Lines over two numeric axes.

    Attributes:
        diagonal: draw the line from (0, 0) to (1, 1).
        note: why nothing is drawn; empty where something is.
    """

    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    diagonal: bool = False
    note: str = ""

    @property
    def asides(self) -> tuple[float, ...]:
        """How far each series stands aside, so that intervals at one place hide no other."""
        beside = [one for one in self.series if one.intervals]
        middle = (len(beside) - 1) / 2
        return tuple(
            _ASIDE * (beside.index(one) - middle) if one in beside else 0.0 for one in self.series
        )


@dataclass(frozen=True)
class IntervalPlot:
    """Figures as points with intervals, one row for each label, one colour for each reader.

    Attributes:
        labels: rows from top to bottom; a line break may divide one.
        readers: names in the legend; "" for one that needs none.
        values: per row, per reader.
        partial: per row, per reader: of how few the figure is, "(11 of 123)", or "" where it is of
            all; drawn hollow with these words. Empty where every figure is of all.
        legend: name the readers below; of two plots side by side one is enough.
    """

    title: str
    labels: tuple[str, ...]
    readers: tuple[str, ...]
    values: tuple[tuple[Interval, ...], ...]
    x_title: str = ""
    partial: tuple[tuple[str, ...], ...] = ()
    legend: bool = True

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
    """A confusion matrix.

    Attributes:
        x_title, y_title: who gives the columns, and who the rows.
        counts: 4 x 4; row i is drawn as the i-th row from the top.
        shares: how deep each cell is coloured, in [0, 1]; None in a row without patches.
        percent: write the shares, too.
        without_score: column apart, of what got no score; empty without one.
        columns: what stands at the columns.
    """

    title: str
    x_title: str
    y_title: str
    counts: Confusion
    shares: tuple[tuple[float | None, ...], ...]
    percent: bool = True
    without_score: tuple[int, ...] = ()
    columns: tuple[str, ...] = CLASS_LABELS


Plot = LinePlot | IntervalPlot | TablePlot


def confusion_plot(reader: ReaderEvaluation) -> TablePlot:
    """Counts and row shares, and beside them what got no score."""
    n = sum(map(sum, reader.confusion))
    title = f"{reader.title} (n = {n})"
    plot = TablePlot(title, reader.title, "Label", reader.confusion, reader.row_shares)
    if reader.not_assessable is None:
        return plot
    columns = (*CLASS_LABELS, NOT_ASSESSABLE)
    return replace(plot, without_score=reader.not_assessable, columns=columns)


def roc_plot(reader: ReaderEvaluation) -> LinePlot:
    """One ROC curve for each class against the rest."""
    return LinePlot(
        f"{reader.title}: ROC",
        "False positive rate",
        "True positive rate",
        _class_lines(reader, reader.roc, "roc_auc"),
        diagonal=True,
        note=_no_curve(reader),
    )


def pr_plot(reader: ReaderEvaluation) -> LinePlot:
    """One precision-recall curve for each class against the rest."""
    title = f"{reader.title}: precision and recall"
    lines = _class_lines(reader, reader.pr, "pr_auc")
    return LinePlot(title, "Recall", "Precision", lines, note=_no_curve(reader))


def reliability_plot(reader: ReaderEvaluation) -> LinePlot:
    """Confidence against accuracy, before and after temperature scaling."""
    series = []
    both = (
        (reader.reliability, "ece", "after temperature"),
        (reader.reliability_before, "ece_before", "before temperature"),
    )
    for style, (bins, key, words) in enumerate(both):
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
                counts=tuple(one.n for one in bins),
            )
        )
    n = sum(one.n for one in reader.reliability)
    return LinePlot(
        f"{reader.title}: calibration (n = {n})",
        "Confidence",
        "Share that is right",
        tuple(series),
        diagonal=True,
    )


def coverage_plot(readers: Sequence[ReaderEvaluation]) -> LinePlot:
    """Accuracy when the least certain patches are left to the pathologist."""
    series = tuple(
        Series(
            reader.title,
            style,
            tuple(point.coverage for point in reader.coverage),
            tuple(point.accuracy.value or 0.0 for point in reader.coverage),
            intervals=tuple(point.accuracy for point in reader.coverage),
            points=True,
            texts=tuple(
                f"{figure_text(point.accuracy)}, n = {point.accuracy.n}, "
                f"confidence from {point.confidence:.2f}"
                for point in reader.coverage
            ),
        )
        for style, reader in enumerate(readers)
    )
    ends = [
        y - value.reach[0] for one in series for y, value in zip(one.y, one.intervals, strict=True)
    ]
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
    keys = [(TITLES[name], name, "") for name in MAIN]
    return interval_plot("Overall figures", readers, keys)


def recall_plot(readers: Sequence[ReaderEvaluation]) -> IntervalPlot:
    """The recall of each class by all readers."""
    keys = [(score.label, "recall", score.key) for score in HER2Score]
    return interval_plot(f"{TITLES['recall']} of each class", readers, keys)


def cut_off_plot(readers: Sequence[ReaderEvaluation]) -> IntervalPlot:
    """Sensitivity and specificity at the clinical cut-offs."""
    keys = [
        (f"{cut.title}\n{TITLES[name].lower()}", name, cut.name)
        for cut in CUT_OFFS
        for name in ("sensitivity", "specificity")
    ]
    return interval_plot("Clinical cut-offs", readers, keys)


def report_plots(readers: Sequence[ReaderEvaluation]) -> list[tuple[str, Plot]]:
    """Every plot of a report with a file name for it, without extension."""
    plots: list[tuple[str, Plot]] = [
        ("overall", main_plot(readers)),
        ("recall", recall_plot(readers)),
        ("cut-offs", cut_off_plot(readers)),
        ("coverage", coverage_plot(readers)),
    ]
    of_one: dict[str, Callable[[ReaderEvaluation], Plot]] = {
        "confusion": confusion_plot,
        "roc": roc_plot,
        "precision-recall": pr_plot,
        "reliability": reliability_plot,
    }
    return plots + [(f"{n}-{r.key}", plot(r)) for r in readers for n, plot in of_one.items()]


def _class_lines(
    reader: ReaderEvaluation, curves: Sequence[Curve], area: str
) -> tuple[Series, ...]:
    lines = []
    for style, curve in enumerate(curves):
        figure, recall = reader.figure(area, curve.of), reader.figure("recall", curve.of)
        if curve.x and figure and recall:
            label = HER2Score.from_label(curve.of).label
            name = f"{label}: area {figure_text(figure.value)}, n = {recall.value.n}"
            lines.append(Series(name, style, curve.x, curve.y))
    return tuple(lines)


def _no_curve(reader: ReaderEvaluation) -> str:
    return "" if any(curve.x for curve in reader.roc) else "No curve: all patches carry one label."


def interval_plot(
    title: str, readers: Sequence[ReaderEvaluation], lines: Sequence[Line]
) -> IntervalPlot:
    """A row for each figure."""
    nothing = undefined(0, "Not measured.")
    labels, values = [], []
    for words, name, of in lines:
        figures = [reader.figure(name, of) for reader in readers]
        row = tuple(figure.value if figure else nothing for figure in figures)
        counts = sorted({value.n for value in row})
        span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        labels.append(f"{words} (n = {span})")
        values.append(row)
    return IntervalPlot(title, tuple(labels), tuple(r.title for r in readers), tuple(values))
