"""The plots of a report drawn with plotly. No streamlit here.

Colours are Okabe and Ito's, told apart by dash and marker too; grounds are transparent, so that a
figure reads on a light and a dark page. Show them with the caller's theme switched off.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import plotly.graph_objects as go

from her2core.charts.plots import IntervalPlot, LinePlot, Plot, TablePlot, figure_text
from her2core.charts.verdicts import lay_out, readable_on, theme_of
from her2core.evaluation.drift import PeriodAgreement
from her2core.scores import CLASS_LABELS

LIGHT = ("#0072B2", "#D55E00", "#009E73", "#8A6A00", "#AA4499", "#555555")
DARK = ("#56B4E9", "#FF9A4D", "#2FD0A0", "#F0E442", "#E29AC8", "#CCCCCC")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross")
_LEGEND_LINE = 20
_MOST_DATES = 8  # on one axis, so that none lies over the next
_ASIDE = 0.008  # between intervals at the same share
_MARGIN = {"l": 8, "r": 12, "t": 34, "b": 8}


def draw(plot: Plot, *, dark: bool = False) -> go.Figure:
    """The plotly figure of a plot; its title stands above it."""
    if isinstance(plot, TablePlot):
        figure = _table(plot, dark)
    elif isinstance(plot, IntervalPlot):
        figure = _intervals(plot, dark)
    else:
        figure = _lines(plot, dark)
    figure.update_layout(
        title={
            "text": f"<b>{html.escape(plot.title)}</b>",
            "font": {"size": 13},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "pad": {"l": 8},
            "y": 0.995,
            "yref": "container",
            "yanchor": "top",
        },
    )
    return figure


def drift_chart(
    periods: Sequence[tuple[str, Sequence[PeriodAgreement]]], *, dark: bool = False
) -> go.Figure:
    """Share of same scores over time, one line for each comparison; every point says its n.

    Args:
        periods: name of the comparison and its periods in order of time.
        dark: for a dark ground.
    """
    figure = go.Figure()
    for style, (name, points) in enumerate(periods):
        shown = [(point, point.report.exact.value) for point in points]
        known = [(point, value) for point, value in shown if value is not None]
        exact = [point.report.exact for point, _ in known]
        figure.add_scatter(
            x=[point.start.isoformat() for point, _ in known],
            y=[value for _, value in known],
            error_y=_bars(
                [value for _, value in known],
                [one.low for one in exact],
                [one.high for one in exact],
            ),
            mode="lines+markers",
            customdata=[f"{figure_text(one)}, n = {one.n}" for one in exact],
            hovertemplate="%{x}: %{customdata}<extra>" + html.escape(name) + "</extra>",
            name=html.escape(name),
            **_style(style, dark),
        )
        # the numbers stand in a row of their own below the plot, clear of lines and intervals
        figure.add_scatter(
            x=[point.start.isoformat() for point, _ in known],
            y=[-0.12 * (style + 1)] * len(known),
            mode="text",
            text=[f"n = {one.n}" for one in exact],
            textfont={"color": (DARK if dark else LIGHT)[style % len(LIGHT)], "size": 12},
            hoverinfo="skip",
            showlegend=False,
        )
    lay_out(figure, dark, height=300)
    figure.update_layout(showlegend=True, legend=_legend_above(), margin=_MARGIN)
    starts = sorted({point.start.isoformat() for _, points in periods for point in points})
    step = -(-len(starts) // _MOST_DATES)
    figure.update_xaxes(
        title_text="Reviews recorded in the period from",
        type="date",
        tickvals=starts[::step] if starts else None,  # else one period is told by the second
        tickformat="%d %b %Y",
    )
    figure.update_yaxes(
        title_text="Same score",
        range=[-0.12 * (len(periods) + 0.6), 1.06],
        tickvals=[0, 0.25, 0.5, 0.75, 1],
        zeroline=False,
    )
    return figure


def _lines(plot: LinePlot, dark: bool) -> go.Figure:
    theme = theme_of(dark)
    figure = go.Figure()
    if plot.diagonal:
        figure.add_scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"color": theme.faint, "width": 1, "dash": "dot"},
            hoverinfo="skip",
            showlegend=False,
        )
    # intervals at the same place would hide each other
    beside = [one for one in plot.series if one.low]
    for one in plot.series:
        aside = _ASIDE * (beside.index(one) - (len(beside) - 1) / 2) if one in beside else 0.0
        figure.add_scatter(
            x=[x + aside for x in one.x],
            y=one.y,
            error_y=_bars(one.y, one.low, one.high) if one.low else None,
            mode="lines+markers" if one.points else "lines",
            customdata=one.texts or None,
            hovertemplate="%{x:.2f}, %{y:.3f}"
            + ("<br>%{customdata}" if one.texts else "")
            + "<extra></extra>",
            name=html.escape(one.name),
            **_style(one.style, dark),
        )
    if plot.note:
        figure.add_annotation(
            text=html.escape(plot.note), showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper"
        )
    lay_out(figure, dark, height=330 + _LEGEND_LINE * len(plot.series))
    _legend_below(figure, len(plot.series), room=52)
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(title_text=plot.x_title, range=_wider(plot.x_range))
    figure.update_yaxes(title_text=plot.y_title, range=_wider(plot.y_range))
    return figure


def _intervals(plot: IntervalPlot, dark: bool) -> go.Figure:
    theme = theme_of(dark)
    figure = go.Figure()
    readers = len(plot.readers)
    for r, reader in enumerate(plot.readers):
        shift = (r - (readers - 1) / 2) * 0.22
        column = [row[r] for row in plot.values]
        known = [(i, one, one.value) for i, one in enumerate(column) if one.value is not None]
        figure.add_scatter(
            x=[value for _, _, value in known],
            y=[i + shift for i, _, _ in known],
            error_x=_bars(
                [value for _, _, value in known],
                [one.low for _, one, _ in known],
                [one.high for _, one, _ in known],
            ),
            mode="markers",
            customdata=[f"{_in_lines(plot.labels[i])}: {figure_text(one)}" for i, one, _ in known],
            hovertemplate="%{customdata}<extra>" + html.escape(reader) + "</extra>",
            name=html.escape(reader),
            marker=_style(r, dark)["marker"],
        )
        for i, one in enumerate(column):
            if one.value is None:
                figure.add_annotation(
                    x=sum(plot.x_range) / 2,
                    y=i + shift,
                    text=html.escape(f"{reader}: not defined"),
                    showarrow=False,
                    font={"color": theme.faint, "size": 11},
                )
    rows = (18 + 14 * readers) * len(plot.labels)
    lay_out(figure, dark, height=rows + 80 + _LEGEND_LINE * readers)
    _legend_below(figure, readers, room=34)
    low, high = plot.x_range
    figure.update_xaxes(range=[low - 0.02, high + 0.02])
    figure.update_yaxes(
        tickvals=list(range(len(plot.labels))),
        ticktext=[_in_lines(label) for label in plot.labels],
        range=[len(plot.labels) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )
    return figure


def _table(plot: TablePlot, dark: bool) -> go.Figure:
    theme = theme_of(dark)
    labels = list(CLASS_LABELS)
    figure = go.Figure(
        go.Heatmap(
            z=[[share or 0.0 for share in row] for row in plot.shares],
            x=labels,
            y=labels,
            zmin=0,
            zmax=1,
            colorscale=[[0, f"rgb{theme.empty}"], [1, f"rgb{theme.full}"]],
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=plot.counts,
            hovertemplate="label %{y}, called %{x}: %{customdata} patches<extra></extra>",
        )
    )
    for i, (counts, shares) in enumerate(zip(plot.counts, plot.shares, strict=True)):
        for j, (count, share) in enumerate(zip(counts, shares, strict=True)):
            part = "–" if share is None else f"{100 * share:.0f} %"
            ground = tuple(
                round(a + (b - a) * (share or 0.0))
                for a, b in zip(theme.empty, theme.full, strict=True)
            )
            figure.add_annotation(
                x=j,
                y=i,
                text=f"<b>{count}</b><br>{part}",
                showarrow=False,
                font={"size": 13, "color": readable_on((ground[0], ground[1], ground[2]))},
            )
    lay_out(figure, dark, height=350)
    figure.update_layout(margin=_MARGIN)
    axis = {"type": "category", "showgrid": False, "ticks": ""}
    figure.update_xaxes(title_text=html.escape(plot.x_title), **axis)
    figure.update_yaxes(title_text=html.escape(plot.y_title), autorange="reversed", **axis)
    return figure


def _style(number: int, dark: bool) -> dict[str, dict[str, object]]:
    colour = (DARK if dark else LIGHT)[number % len(LIGHT)]
    return {
        "line": {"color": colour, "width": 2, "dash": _DASHES[number % len(_DASHES)]},
        "marker": {"color": colour, "size": 8, "symbol": _MARKERS[number % len(_MARKERS)]},
    }


def _bars(
    values: Sequence[float], low: Sequence[float | None], high: Sequence[float | None]
) -> dict[str, object]:
    """Error bars from the values to their bounds; none where there is no interval."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [
            0 if end is None else max(0.0, end - value)
            for value, end in zip(values, high, strict=True)
        ],
        "arrayminus": [
            0 if end is None else max(0.0, value - end)
            for value, end in zip(values, low, strict=True)
        ],
        "thickness": 1.5,
        "width": 4,
    }


def _legend_below(figure: go.Figure, entries: int, room: int) -> None:
    """One entry to a line under the plot, as names carry figures; `room` pixels for the axis."""
    figure.update_layout(
        showlegend=True,
        legend={
            "orientation": "v",
            "x": 0,
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "itemclick": False,
        },
        margin={**_MARGIN, "b": room + _LEGEND_LINE * entries},
    )


def _legend_above() -> dict[str, object]:
    return {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemclick": False}


def _in_lines(label: str) -> str:
    return html.escape(label).replace("\n", "<br>")


def _wider(ends: tuple[float, float]) -> list[float]:
    room = 0.02 * (ends[1] - ends[0])
    return [ends[0] - room, ends[1] + room]
