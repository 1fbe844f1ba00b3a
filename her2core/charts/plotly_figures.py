"""The plots of reports and of agreement drawn with plotly; looks: `her2core.charts.theme`."""

from collections.abc import Sequence

import plotly.graph_objects as go

from her2core.charts.plots import IntervalPlot, LinePlot, Plot, TablePlot
from her2core.charts.theme import label_text, lay_out, readable_on, style_of, theme_of
from her2core.charts.words import figure_text
from her2core.common.palette import mixed
from her2core.evaluation.agreement import Confusion
from her2core.evaluation.drift import PeriodAgreement
from her2core.evaluation.intervals import Interval
from her2core.scores import CLASS_LABELS

_LEGEND_LINE = 20
_MOST_DATES = 8  # on one axis, so that none lies over the next


def plotly_figure(plot: Plot, *, dark: bool = False) -> go.Figure:
    """The plotly figure of a plot; its title, where it has one, stands above it."""
    if isinstance(plot, TablePlot):
        figure = _table(plot, dark)
    elif isinstance(plot, IntervalPlot):
        figure = _intervals(plot, dark)
    else:
        figure = _lines(plot, dark)
    if not plot.title:
        return figure.update_layout(margin={"t": 8})
    return figure.update_layout(
        title={
            "text": f"<b>{label_text(plot.title)}</b>",
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


def agreement_table(confusion: Confusion, x_title: str, y_title: str) -> TablePlot:
    """How often whom gave which score: the deeper a cell, the nearer to the largest count."""
    most = max(map(max, confusion)) or 1
    shares = tuple(tuple(count / most for count in row) for row in confusion)
    return TablePlot("", x_title, y_title, confusion, shares, percent=False)


def agreement_intervals(rows: Sequence[tuple[str, Interval]], x_title: str) -> IntervalPlot:
    """One figure to a row, with its label and n."""
    labels = tuple(f"{label} (n = {figure.n})" for label, figure in rows)
    return IntervalPlot("", labels, ("",), tuple((figure,) for _, figure in rows), x_title)


def drift_figure(
    periods: Sequence[tuple[str, Sequence[PeriodAgreement]]], *, dark: bool = False
) -> go.Figure:
    """Share of same scores over time, one line for each comparison; every point says its n.

    Args:
        periods: name of the comparison and its periods in order of time.
        dark: for a dark ground.
    """
    figure = go.Figure()
    for number, (name, points) in enumerate(periods):
        defined = [point for point in points if point.report.exact.value is not None]
        exact = [point.report.exact for point in defined]
        starts = [point.start.isoformat() for point in defined]
        figure.add_scatter(
            x=starts,
            y=[one.value for one in exact],
            error_y=_error_bars(exact),
            mode="lines+markers",
            customdata=[f"{figure_text(one)}, n = {one.n}" for one in exact],
            hovertemplate="%{x}: %{customdata}<extra>" + label_text(name) + "</extra>",
            name=label_text(name),
            **_line_and_marker(number, dark),
        )
        # the numbers stand in a row of their own below the plot, clear of lines and intervals
        figure.add_scatter(
            x=starts,
            y=[-0.12 * (number + 1)] * len(starts),
            mode="text",
            text=[f"n = {one.n}" for one in exact],
            textfont={"color": style_of(number).colour.on(dark), "size": 12},
            hoverinfo="skip",
            showlegend=False,
        )
    lay_out(figure, dark, height=300)
    figure.update_layout(showlegend=True, legend={"y": 1.02, "yanchor": "bottom"})
    dates = sorted({point.start.isoformat() for _, points in periods for point in points})
    step = -(-len(dates) // _MOST_DATES)
    figure.update_xaxes(
        title_text="Reviews recorded in the period from",
        type="date",
        tickvals=dates[::step] if dates else None,  # else one period is marked by the second
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
    figure = go.Figure()
    if plot.diagonal:
        figure.add_scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"color": theme_of(dark).faint, "width": 1, "dash": "dot"},
            hoverinfo="skip",
            showlegend=False,
        )
    for one, aside in zip(plot.series, plot.asides, strict=True):
        figure.add_scatter(
            x=[x + aside for x in one.x],
            y=one.y,
            error_y=_error_bars(one.intervals) if one.intervals else None,
            mode="lines+markers" if one.points else "lines",
            customdata=one.texts or None,
            hovertemplate="%{x:.2f}, %{y:.3f}"
            + ("<br>%{customdata}" if one.texts else "")
            + "<extra></extra>",
            name=label_text(one.name),
            **_line_and_marker(one.style, dark),
        )
    if plot.note:
        figure.add_annotation(
            text=label_text(plot.note), showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper"
        )
    lay_out(figure, dark, height=330 + _LEGEND_LINE * len(plot.series))
    _legend_below(figure, len(plot.series), room=52)
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(title_text=plot.x_title, range=_wider(plot.x_range))
    figure.update_yaxes(title_text=plot.y_title, range=_wider(plot.y_range))
    return figure


def _intervals(plot: IntervalPlot, dark: bool) -> go.Figure:
    figure = go.Figure()
    count = len(plot.readers)
    labels = [label_text(label).replace("\n", "<br>") for label in plot.labels]
    for number, reader in enumerate(plot.readers):
        shift = (number - (count - 1) / 2) * min(0.22, 0.85 / count)
        column = [row[number] for row in plot.values]
        defined = [(i, one) for i, one in enumerate(column) if one.value is not None]
        partial = [row[number] for row in plot.partial] or [""] * len(column)
        marker = _line_and_marker(number, dark)["marker"]
        symbols = [f"{marker['symbol']}{'-open' if partial[i] else ''}" for i, _ in defined]
        figure.add_scatter(
            x=[one.value for _, one in defined],
            y=[i + shift for i, _ in defined],
            error_x=_error_bars([one for _, one in defined]),
            mode="markers",
            customdata=[f"{labels[i]}: {figure_text(one)} {partial[i]}" for i, one in defined],
            hovertemplate="%{customdata}<extra>" + label_text(reader) + "</extra>",
            name=label_text(reader),
            marker={**marker, "symbol": symbols},
        )
        undefined = f"{reader}: not defined" if reader else "not defined"
        for i, one in enumerate(column):
            if words := undefined if one.value is None else partial[i]:
                figure.add_annotation(
                    x=plot.x_range[0],
                    xanchor="left",
                    y=i + shift,
                    text=label_text(words),
                    showarrow=False,
                    font={"color": theme_of(dark).faint, "size": 11},
                )
    named = count if any(plot.readers) else 0
    rows = (18 + 14 * count) * len(labels)
    lay_out(figure, dark, height=rows + 100 + _LEGEND_LINE * named)
    _legend_below(figure, named, room=72 if plot.x_title else 54)
    if not plot.legend:  # its room stays, so that both plots are of one height
        figure.update_layout(showlegend=False)
    low, high = plot.x_range
    figure.update_xaxes(title_text=label_text(plot.x_title), range=[low - 0.02, high + 0.02])
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.5, -0.5],
        showgrid=False,
        zeroline=False,
    )
    return figure


def _table(plot: TablePlot, dark: bool) -> go.Figure:
    theme = theme_of(dark)
    apart = [None] if plot.without_score else []
    figure = go.Figure(
        go.Heatmap(
            z=[[*(share or 0.0 for share in row), *apart] for row in plot.shares],
            x=list(plot.columns),
            y=list(CLASS_LABELS),
            zmin=0,
            zmax=1,
            colorscale=[[0, theme.empty], [1, theme.full]],
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=plot.counts,
            hovertemplate=(
                f"{label_text(plot.y_title)}: %{{y}}<br>{label_text(plot.x_title)}: %{{x}}<br>"
                "%{customdata} times<extra></extra>"
            ),
        )
    )
    for i, (counts, shares) in enumerate(zip(plot.counts, plot.shares, strict=True)):
        for j, (count, share) in enumerate(zip(counts, shares, strict=True)):
            figure.add_annotation(
                x=j,
                y=i,
                text=f"<b>{count}</b>" + (f"<br>{_percent(share)}" if plot.percent else ""),
                showarrow=False,
                font={
                    "size": 13 if plot.percent else 15,
                    "color": readable_on(mixed(theme.empty, theme.full, share or 0.0)),
                },
            )
        figure.add_shape(  # where both agree
            type="rect",
            x0=i - 0.48,
            x1=i + 0.48,
            y0=i - 0.48,
            y1=i + 0.48,
            line={"color": theme.faint, "width": 1.5},
        )
    for i, count in enumerate(plot.without_score):
        figure.add_annotation(
            x=4, y=i, text=f"<b>{count}</b>", showarrow=False, font={"color": theme.faint}
        )
    lay_out(figure, dark, height=350 if plot.percent else 300)
    axis = {"type": "category", "showgrid": False, "ticks": ""}
    figure.update_xaxes(title_text=label_text(plot.x_title), **axis)
    figure.update_yaxes(title_text=label_text(plot.y_title), autorange="reversed", **axis)
    return figure


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _line_and_marker(number: int, dark: bool) -> dict[str, dict[str, object]]:
    style = style_of(number)
    colour = style.colour.on(dark)
    return {
        "line": {"color": colour, "width": 2, "dash": style.dash},
        "marker": {"color": colour, "size": 8, "symbol": style.marker},
    }


def _error_bars(values: Sequence[Interval]) -> dict[str, object]:
    """Error bars from defined figures to their bounds; of no length without an interval."""
    reaches = [value.reach for value in values]
    return {
        "type": "data",
        "symmetric": False,
        "array": [up for _, up in reaches],
        "arrayminus": [down for down, _ in reaches],
        "thickness": 1.5,
        "width": 4,
    }


def _legend_below(figure: go.Figure, entries: int, room: int) -> None:
    """One entry to a line under the plot, as names carry figures; `room` pixels for the axis."""
    figure.update_layout(
        showlegend=entries > 0,
        legend={"orientation": "v", "y": 0, "yref": "container", "yanchor": "bottom"},
        margin={"b": room + _LEGEND_LINE * entries},
    )


def _wider(ends: tuple[float, float]) -> list[float]:
    room = 0.02 * (ends[1] - ends[0])
    return [ends[0] - room, ends[1] + room]
