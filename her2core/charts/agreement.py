"""Plotly figures of agreement: who gave which score how often, and figures with intervals.

Looks, themes and how to show them: `her2core.charts.verdicts`.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from her2core.charts.verdicts import (
    label_text,
    lay_out,
    model_colour,
    readable_on,
    rgb_text,
    theme_of,
)
from her2core.evaluation.agreement import Confusion, Interval
from her2core.scores import CLASS_LABELS


def confusion_figure(
    confusion: Confusion, x_title: str, y_title: str, *, dark: bool = False
) -> go.Figure:
    """A 4 x 4 table of counts; the diagonal, where both agree, is framed.

    Args:
        confusion: counts; row i is drawn as the i-th row from the top.
        x_title: who gives the columns.
        y_title: who gives the rows.
        dark: for a dark ground.
    """
    theme = theme_of(dark)
    top = max(max(row) for row in confusion) or 1
    labels = list(CLASS_LABELS)
    figure = go.Figure(
        go.Heatmap(
            z=[list(row) for row in confusion],
            x=labels,
            y=labels,
            zmin=0,
            zmax=top,
            colorscale=[[0, rgb_text(theme.empty)], [1, rgb_text(theme.full)]],
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate=(
                f"{label_text(y_title)}: %{{y}}<br>{label_text(x_title)}: %{{x}}<br>"
                "%{z} times<extra></extra>"
            ),
        )
    )
    for i, row in enumerate(confusion):
        for j, count in enumerate(row):
            figure.add_annotation(
                x=j,
                y=i,
                text=f"<b>{count}</b>" if count else "0",
                showarrow=False,
                font={"size": 15, "color": readable_on(_mix(theme.empty, theme.full, count / top))},
            )
        figure.add_shape(
            type="rect",
            x0=i - 0.48,
            x1=i + 0.48,
            y0=i - 0.48,
            y1=i + 0.48,
            line={"color": theme.faint, "width": 1.5},
        )
    lay_out(figure, dark, height=300)
    figure.update_layout(margin={"l": 8, "r": 8, "t": 8, "b": 8})
    axis = {"type": "category", "showgrid": False, "ticks": ""}
    figure.update_xaxes(title_text=label_text(x_title), **axis)
    figure.update_yaxes(title_text=label_text(y_title), autorange="reversed", **axis)
    return figure


def agreement_interval_figure(
    rows: Sequence[tuple[str, Interval]],
    *,
    x_title: str,
    dark: bool = False,
) -> go.Figure:
    """One figure per row as a point with its 95 % interval.

    Args:
        rows: label and figure, first row on top; an undefined figure gets a note, not a point.
            The axis runs from 0, or from -1 where a figure or its interval is below 0, to 1.
        x_title: what the figures are.
        dark: for a dark ground.
    """
    theme = theme_of(dark)
    ends = (figure.value if figure.low is None else figure.low for _, figure in rows)
    bounds = (-1.0 if any(end is not None and end < 0 for end in ends) else 0.0, 1.0)
    labels = [f"{label_text(label)}  (n = {figure.n})" for label, figure in rows]
    drawn = [
        (name, figure, figure.value)
        for name, (_, figure) in zip(labels, rows, strict=True)
        if figure.value is not None
    ]
    colour = model_colour("cnn", dark)
    chart = go.Figure(
        go.Scatter(
            x=[value for _, _, value in drawn],
            y=[name for name, _, _ in drawn],
            mode="markers",
            marker={"size": 10, "color": colour},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [
                    0 if figure.high is None else max(0.0, figure.high - value)
                    for _, figure, value in drawn
                ],
                "arrayminus": [
                    0 if figure.low is None else max(0.0, value - figure.low)
                    for _, figure, value in drawn
                ],
                "color": colour,
                "thickness": 2,
                "width": 5,
            },
            customdata=[[interval_text(figure)] for _, figure, _ in drawn],
            hovertemplate="%{y}<br>%{customdata[0]}<extra></extra>",
            showlegend=False,
        )
    )
    for name, (_, figure) in zip(labels, rows, strict=True):
        if figure.value is None:
            chart.add_annotation(
                x=(bounds[0] + bounds[1]) / 2,
                y=name,
                text="not defined",
                showarrow=False,
                font={"color": theme.faint},
            )
    lay_out(chart, dark, height=90 + 34 * max(1, len(rows)))
    chart.update_layout(margin={"l": 8, "r": 16, "t": 8, "b": 8})
    chart.update_xaxes(
        title_text=label_text(x_title), range=[bounds[0] - 0.03, bounds[1] + 0.03], zeroline=False
    )
    chart.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=labels,
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
    )
    return chart


def interval_text(figure: Interval, *, as_percent: bool = False) -> str:
    """A figure with interval for people: "0.61 (0.32 to 0.83)", "75 % (41 % to 93 %)" or "–"."""

    def one(value: float) -> str:
        return f"{100 * value:.0f} %" if as_percent else f"{value:.2f}"

    if figure.value is None:
        return "–"
    if figure.low is None or figure.high is None:
        return f"{one(figure.value)} (no interval)"
    return f"{one(figure.value)} ({one(figure.low)} to {one(figure.high)})"


def _mix(
    low: tuple[int, int, int], high: tuple[int, int, int], share: float
) -> tuple[int, int, int]:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(low, high, strict=True))
    return red, green, blue
