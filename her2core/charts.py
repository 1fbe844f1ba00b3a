"""Plotly figures of verdicts, agreement and heat-map scales. No streamlit here.

Every figure has a transparent ground and takes `dark`, so that it reads on either theme. Models
are told apart by colour (Okabe and Ito's colour-blind safe palette), by hatching and by name.
Show them with the caller's own theme switched off (`theme=None`): the colours are set here.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from her2core.evaluation.agreement import Confusion, Interval
from her2core.models.verdict import Verdict
from her2core.scores import CLASS_LABELS, HER2Score
from her2core.xai.explanation import Method

_FONT = '"Source Sans", "Source Sans Pro", "Segoe UI", Arial, sans-serif'


@dataclass(frozen=True)
class Theme:
    """Colours of a ground: text, faint text, grid, and the ends of a scale of shares."""

    text: str
    faint: str
    grid: str
    empty: tuple[int, int, int]
    full: tuple[int, int, int]


_LIGHT = Theme("#31333F", "#5C6070", "rgba(110,115,130,0.28)", (240, 245, 250), (8, 69, 148))
_DARK = Theme("#FAFAFA", "#B4B8C4", "rgba(160,165,180,0.28)", (30, 38, 50), (158, 202, 225))

_LEGEND_ENDS: dict[Method, dict[float, str]] = {
    "grad_cam": {0.0: "0", 0.5: "speaks for the class", 1.0: "most"},
    "shap": {-1.0: "against", 0.0: "0", 1.0: "for"},
}


@dataclass(frozen=True)
class _ModelStyle:
    name: str
    light: str
    dark: str
    pattern: str


_MODELS = {
    "cnn": _ModelStyle("CNN", "#0072B2", "#56B4E9", ""),
    "densenet121": _ModelStyle("DenseNet121", "#D55E00", "#E69F00", "/"),
}


def model_name(architecture: str) -> str:
    """How an architecture is written for people, e.g. "DenseNet121"."""
    return _MODELS[architecture].name if architecture in _MODELS else architecture


def percent(share: float) -> str:
    """A share in [0, 1] as whole per cent that never rounds a possibility away.

    0.004 is "<1 %" and 0.996 is ">99 %"; only exact 0 and 1 are "0 %" and "100 %".
    """
    if 0.0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1.0:
        return ">99 %"
    return f"{100 * share:.0f} %"


def probability_figure(verdicts: Sequence[Verdict], *, dark: bool = False) -> go.Figure:
    """Class probabilities of all verdicts on one axis, grouped by score.

    Args:
        verdicts: one per model; a model's most probable score is printed in bold.
        dark: for a dark ground.

    Returns:
        A figure 240 pixels high; one bar trace per verdict.
    """
    figure = go.Figure()
    for verdict in verdicts:
        style = _style(verdict.architecture)
        colour = style.dark if dark else style.light
        texts = [
            f"<b>{_text(percent(p))}</b>" if HER2Score(i) == verdict.score else _text(percent(p))
            for i, p in enumerate(verdict.probabilities)
        ]
        figure.add_bar(
            x=list(CLASS_LABELS),
            y=[100 * p for p in verdict.probabilities],
            name=_text(style.name),
            text=texts,
            textposition="outside",
            cliponaxis=False,
            marker={
                "color": colour,
                "line": {"color": colour, "width": 1},
                "pattern": {
                    "shape": style.pattern,
                    "fillmode": "overlay",
                    "fgcolor": "#1B1B1B" if dark else "#FFFFFF",
                    "size": 7,
                    "solidity": 0.3,
                },
            },
            hovertemplate=_text(style.name) + ": %{y:.1f} % for %{x}<extra></extra>",
        )
    lay_out(figure, dark, height=240)
    figure.update_layout(
        barmode="group",
        bargap=0.25,
        bargroupgap=0.06,
        margin={"l": 8, "r": 8, "t": 30, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1.2, "yanchor": "top", "itemclick": False},
        showlegend=True,
    )
    figure.update_xaxes(
        title_text="HER2 score",
        type="category",
        categoryarray=list(CLASS_LABELS),
        range=[-0.5, 3.5],
        showgrid=False,
    )
    figure.update_yaxes(
        title_text="Probability",
        range=[0, 112],
        tickvals=[0, 25, 50, 75, 100],
        ticktext=["0 %", "25 %", "50 %", "75 %", "100 %"],
    )
    return figure


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
    theme = _DARK if dark else _LIGHT
    top = max(max(row) for row in confusion) or 1
    labels = list(CLASS_LABELS)
    figure = go.Figure(
        go.Heatmap(
            z=[list(row) for row in confusion],
            x=labels,
            y=labels,
            zmin=0,
            zmax=top,
            colorscale=[[0, _rgb(theme.empty)], [1, _rgb(theme.full)]],
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate=(
                f"{_text(y_title)}: %{{y}}<br>{_text(x_title)}: %{{x}}<br>"
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
    figure.update_xaxes(title_text=_text(x_title), **axis)
    figure.update_yaxes(title_text=_text(y_title), autorange="reversed", **axis)
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
    theme = _DARK if dark else _LIGHT
    ends = (figure.value if figure.low is None else figure.low for _, figure in rows)
    bounds = (-1.0 if any(end is not None and end < 0 for end in ends) else 0.0, 1.0)
    labels = [f"{_text(label)}  (n = {figure.n})" for label, figure in rows]
    drawn = [
        (name, figure, figure.value)
        for name, (_, figure) in zip(labels, rows, strict=True)
        if figure.value is not None
    ]
    colour = _MODELS["cnn"].dark if dark else _MODELS["cnn"].light
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
        title_text=_text(x_title), range=[bounds[0] - 0.03, bounds[1] + 0.03], zeroline=False
    )
    chart.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=labels,
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
    )
    return chart


def legend_figure(method: Method, *, dark: bool = False) -> go.Figure:
    """The colour bar of a heat map, from its least to its greatest value.

    Args:
        method: "grad_cam" or "shap".
        dark: for a dark ground.

    Returns:
        A figure 46 pixels high.
    """
    from her2core.xai.overlay import colour_stops  # brings opencv: not for the other figures

    stops = colour_stops(method)
    low, high = stops[0].value, stops[-1].value
    steps = [low + (high - low) * i / 200 for i in range(201)]
    figure = go.Figure(
        go.Heatmap(
            z=[steps],
            x=steps,
            y=[""],
            colorscale=[[(stop.value - low) / (high - low), _rgb(stop.rgb)] for stop in stops],
            zmin=low,
            zmax=high,
            showscale=False,
            hoverinfo="skip",
        )
    )
    lay_out(figure, dark, height=46)
    figure.update_layout(margin={"l": 48, "r": 48, "t": 4, "b": 26})
    ends = _LEGEND_ENDS[method]
    figure.update_xaxes(
        range=[low, high],
        tickvals=list(ends),
        ticktext=list(ends.values()),
        showgrid=False,
        automargin=False,
    )
    figure.update_yaxes(visible=False)
    return figure


def interval_text(figure: Interval, *, as_percent: bool = False) -> str:
    """A figure with interval for people: "0.61 (0.32 to 0.83)", "75 % (41 % to 93 %)" or "–"."""

    def one(value: float) -> str:
        return f"{100 * value:.0f} %" if as_percent else f"{value:.2f}"

    if figure.value is None:
        return "–"
    if figure.low is None or figure.high is None:
        return f"{one(figure.value)} (no interval)"
    return f"{one(figure.value)} ({one(figure.low)} to {one(figure.high)})"


def readable_on(rgb: tuple[int, int, int]) -> str:
    """Near-black or white, whichever contrasts more with the colour (WCAG relative luminance)."""
    linear = [(c / 255) / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#111111" if (luminance + 0.05) ** 2 > 0.0525 * 1.05 else "#FFFFFF"


def _style(architecture: str) -> _ModelStyle:
    unknown = _ModelStyle(architecture, "#009E73", "#009E73", "x")
    return _MODELS.get(architecture, unknown)


def theme_of(dark: bool) -> Theme:
    """The colours of text, grid and ground for a light or a dark page."""
    return _DARK if dark else _LIGHT


def lay_out(figure: go.Figure, dark: bool, *, height: int) -> None:
    """Give a figure the looks all of them share; `height` in pixels."""
    theme = _DARK if dark else _LIGHT
    figure.update_layout(
        template="none",
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": _FONT, "size": 13, "color": theme.text},
        hoverlabel={"font": {"family": _FONT}},
        separators=". ",
    )
    shared = {
        "gridcolor": theme.grid,
        "linecolor": theme.grid,
        "zerolinecolor": theme.grid,
        "automargin": True,
        "fixedrange": True,
        "title": {"font": {"size": 13, "color": theme.faint}, "standoff": 6},
    }
    figure.update_xaxes(**shared)
    figure.update_yaxes(**shared)


def _text(words: str) -> str:
    """Words for a label: plotly reads a little HTML, which a name must not smuggle in."""
    return html.escape(words)


def _rgb(colour: tuple[int, int, int]) -> str:
    return f"rgb({colour[0]},{colour[1]},{colour[2]})"


def _mix(
    low: tuple[int, int, int], high: tuple[int, int, int], share: float
) -> tuple[int, int, int]:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(low, high, strict=True))
    return red, green, blue
