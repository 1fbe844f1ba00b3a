"""Plotly figures of verdicts and heat-map scales, and the looks all figures share. No streamlit.

Every figure has a transparent ground and takes `dark`, so that it reads on either theme. Models
are told apart by colour (Okabe and Ito's colour-blind safe palette), by hatching and by name.
Show them with the caller's own theme switched off (`theme=None`): the colours are set here.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from her2core.common.text import percent
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

_LEGEND_ENDS: dict[bool, dict[float, str]] = {
    False: {0.0: "0", 0.5: "speaks for the class", 1.0: "most"},
    True: {-1.0: "against", 0.0: "0", 1.0: "for"},
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
        colour = model_colour(verdict.architecture, dark)
        texts = [
            f"<b>{label_text(percent(p))}</b>"
            if HER2Score(i) == verdict.score
            else label_text(percent(p))
            for i, p in enumerate(verdict.probabilities)
        ]
        figure.add_bar(
            x=list(CLASS_LABELS),
            y=[100 * p for p in verdict.probabilities],
            name=label_text(style.name),
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
            hovertemplate=label_text(style.name) + ": %{y:.1f} % for %{x}<extra></extra>",
        )
    lay_out(figure, dark, height=240)
    figure.update_layout(
        # labels of one size, small enough to stand beside each other on a narrow screen
        uniformtext={"mode": "show", "minsize": 8},
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
        range=[0, 124],
        tickvals=[0, 25, 50, 75, 100],
        ticktext=["0 %", "25 %", "50 %", "75 %", "100 %"],
    )
    return figure


def legend_figure(method: Method, *, dark: bool = False) -> go.Figure:
    """The colour bar of a heat map, from its least to its greatest value.

    Args:
        method: the method whose maps of one class are shown.
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
            colorscale=[[(stop.value - low) / (high - low), rgb_text(stop.rgb)] for stop in stops],
            zmin=low,
            zmax=high,
            showscale=False,
            hoverinfo="skip",
        )
    )
    lay_out(figure, dark, height=46)
    figure.update_layout(margin={"l": 48, "r": 48, "t": 4, "b": 26})
    ends = _LEGEND_ENDS[low < 0]
    figure.update_xaxes(
        range=[low, high],
        tickvals=list(ends),
        ticktext=list(ends.values()),
        showgrid=False,
        automargin=False,
    )
    figure.update_yaxes(visible=False)
    return figure


def readable_on(rgb: tuple[int, int, int]) -> str:
    """Near-black or white, whichever contrasts more with the colour (WCAG relative luminance)."""
    linear = [(c / 255) / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#111111" if (luminance + 0.05) ** 2 > 0.0525 * 1.05 else "#FFFFFF"


def model_colour(architecture: str, dark: bool) -> str:
    """The colour that stands for a model, as "#rrggbb"."""
    style = _style(architecture)
    return style.dark if dark else style.light


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


def label_text(words: str) -> str:
    """Words for a label: plotly reads a little HTML, which a name must not smuggle in."""
    return html.escape(words)


def rgb_text(colour: tuple[int, int, int]) -> str:
    """A colour as plotly writes it."""
    return f"rgb({colour[0]},{colour[1]},{colour[2]})"
