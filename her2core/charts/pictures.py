"""The plots of a report as PNG, drawn with matplotlib: no browser and no screen is needed.

Only the command line imports this module: matplotlib takes half a second that no page waits for.
"""

import io
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font
from matplotlib.lines import Line2D
from PIL import Image

from her2core.charts.plots import IntervalPlot, LinePlot, Plot, TablePlot, report_plots
from her2core.charts.theme import readable_on, style_of
from her2core.charts.words import figure_text
from her2core.common.palette import GRID_OPACITY, LIGHT, mixed
from her2core.evaluation.intervals import Interval
from her2core.evaluation.report import Report
from her2core.scores import CLASS_LABELS

_INCHES, _DOTS = 10.0, 100
_MOST_LETTERS, _MOST_OF_A_LABEL = 90, 60
_FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
_LOOK: Any = {  # keys are typed one by one in matplotlib
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "text.color": LIGHT.text,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelcolor": LIGHT.text,
    "axes.edgecolor": LIGHT.grid,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": LIGHT.faint,
    "ytick.color": LIGHT.faint,
    "grid.color": LIGHT.grid,
    "grid.alpha": GRID_OPACITY,
    "legend.frameon": False,
}


def report_pictures(report: Report) -> Iterator[tuple[str, bytes]]:
    """File name and PNG of every plot of a report."""
    for name, plot in report_plots(report.evaluation.readers):
        yield f"{name}.png", picture(plot)


def picture(plot: Plot) -> bytes:
    """A plot as PNG on white, 1000 pixels wide."""
    with mpl.rc_context(_LOOK):
        figure = Figure(figsize=(_INCHES, 5.0), dpi=_DOTS, layout="constrained")
        if isinstance(plot, TablePlot):
            _table(figure, plot)
        elif isinstance(plot, IntervalPlot):
            _intervals(figure, plot)
        else:
            _lines(figure, plot)
        full, stream = io.BytesIO(), io.BytesIO()
        figure.savefig(full, format="png")
    # few colours are in it, so a palette of 64 looks the same at a third of the size
    colours = Image.open(full).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    colours.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _lines(figure: Figure, plot: LinePlot) -> None:
    counted = [one for one in plot.series if one.counts]
    figure.set_figheight(5.0 + 0.3 * len(plot.series) + (1.2 if counted else 0.0))
    if counted:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        _counts(below, plot)
    else:
        axes = below = figure.subplots()
    axes.set_title(_drawable(plot.title))
    axes.grid(visible=True)
    axes.set_ylabel(plot.y_title)
    below.set_xlabel(plot.x_title)
    axes.set_xlim(*_wider(plot.x_range))
    axes.set_ylim(*_wider(plot.y_range))
    if plot.diagonal:
        axes.plot((0, 1), (0, 1), color=LIGHT.faint, linewidth=1, linestyle=":")
    if plot.note:
        axes.text(0.5, 0.5, plot.note, transform=axes.transAxes, ha="center")
    for one, aside in zip(plot.series, plot.asides, strict=True):
        style = style_of(one.style)
        axes.errorbar(
            [x + aside for x in one.x],
            one.y,
            yerr=_reaches(one.intervals) if one.intervals else None,
            color=style.colour.light,
            linestyle=style.picture_dash,
            marker=style.picture_marker if one.points else "",
            elinewidth=1.2,
            capsize=2,
        )
    _legend(figure, [(one.style, one.name) for one in plot.series], points=_points(plot))


def _counts(axes: Axes, plot: LinePlot) -> None:
    """How many patches stand behind each point, as bars side by side."""
    width = 0.028
    for one in plot.series:
        left = [x + width * (one.style - (len(plot.series) - 1) / 2) for x in one.x]
        bars = axes.bar(left, one.counts, width, color=style_of(one.style).colour.light)
        axes.bar_label(bars, fontsize=7, padding=1)
    axes.set_ylabel("Patches")
    axes.margins(y=0.25)


def _intervals(figure: Figure, plot: IntervalPlot) -> None:
    count = len(plot.readers)
    figure.set_figheight(1.2 + (0.24 * count + 0.16) * len(plot.labels) + 0.3 * count)
    axes = figure.subplots()
    axes.set_title(_drawable(plot.title))
    axes.grid(visible=True, axis="x")
    low, high = plot.x_range
    axes.set_xlim(low - 0.02, high + 0.02)
    axes.set_xlabel(plot.x_title)
    axes.set_ylim(len(plot.labels) - 0.5, -0.5)
    labels = [_drawable(label.replace("\n", ": "), _MOST_OF_A_LABEL) for label in plot.labels]
    axes.set_yticks(range(len(labels)), labels)
    for number in range(count):
        style = style_of(number)
        for row, values in enumerate(plot.values):
            value, y = values[number], row + (number - (count - 1) / 2) * 0.8 / count
            words = "not defined" if value.value is None else figure_text(value)
            axes.annotate(
                words,
                (1.02, y),
                xycoords=("axes fraction", "data"),
                va="center",
                color=LIGHT.faint,
                fontsize=10,
                annotation_clip=False,
            )
            if value.value is not None:
                axes.errorbar(
                    value.value,
                    y,
                    xerr=_reaches([value]),
                    color=style.colour.light,
                    marker=style.picture_marker,
                    capsize=2,
                )
    _legend(figure, list(enumerate(plot.readers)), points=True, lines=False)


def _table(figure: Figure, plot: TablePlot) -> None:
    axes = figure.subplots()
    axes.set_title(_drawable(plot.title))
    ground = [[mixed(LIGHT.empty, LIGHT.full, s or 0.0) for s in row] for row in plot.shares]
    axes.imshow(ground, aspect="auto")
    for i, (counts, shares) in enumerate(zip(plot.counts, plot.shares, strict=True)):
        for j, (count, share) in enumerate(zip(counts, shares, strict=True)):
            part = "no patch" if share is None else f"{100 * share:.0f} %"
            words = f"{count}  ({part})" if plot.percent else f"{count}"
            ink = readable_on(ground[i][j])
            axes.text(j, i, words, ha="center", va="center", color=ink)
    for i, count in enumerate(plot.without_score):
        axes.text(4, i, f"{count}", ha="center", va="center", color=LIGHT.faint)
    axes.set_xlim(-0.5, len(plot.columns) - 0.5)
    axes.set_xticks(range(len(plot.columns)), plot.columns)
    axes.set_yticks(range(4), CLASS_LABELS)
    axes.set_xlabel(_drawable(f"called by {plot.x_title}"))
    axes.set_ylabel(_drawable(plot.y_title, _MOST_OF_A_LABEL))


def _legend(
    figure: Figure, entries: Sequence[tuple[int, str]], *, points: bool, lines: bool = True
) -> None:
    """One entry to a line under the plot."""
    handles = [
        Line2D(
            [],
            [],
            color=style_of(number).colour.light,
            linestyle=style_of(number).picture_dash if lines else "",
            marker=style_of(number).picture_marker if points else "",
        )
        for number, _ in entries
    ]
    # names are set afterwards: matplotlib leaves out those that begin with an underscore
    legend = figure.legend(handles, ["name"] * len(entries), loc="outside lower left")
    for text, (_, name) in zip(legend.get_texts(), entries, strict=True):
        text.set_text(_drawable(name))


def _reaches(values: Sequence[Interval]) -> list[list[float]]:
    """How far each interval goes below and above its figure, as `errorbar` takes it: (2, n)."""
    reaches = [value.reach for value in values]
    return [[below for below, _ in reaches], [above for _, above in reaches]]


def _points(plot: LinePlot) -> bool:
    return any(one.points for one in plot.series)


def _wider(ends: tuple[float, float]) -> tuple[float, float]:
    room = 0.02 * (ends[1] - ends[0])
    return ends[0] - room, ends[1] + room


@cache
def _characters() -> frozenset[int]:
    return frozenset(get_font(_FONT).get_charmap())


def _drawable(words: str, most: int = _MOST_LETTERS) -> str:
    """The words, cut to the picture's width, with "?" for what the font would draw as a box."""
    words = words if len(words) <= most else words[:most] + "…"
    return "".join(c if ord(c) in _characters() and c.isprintable() else "?" for c in words)
