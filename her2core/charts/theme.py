"""The looks that all figures share. Colours come from `her2core.common.palette`.

Every plotly figure has a transparent ground and takes `dark`, so that it reads on either theme;
show it with the caller's own theme switched off (`theme=None`). Lines and points differ by dash and
marker as well as by colour.
"""

import html
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from her2core.common.palette import (
    DARK,
    GRID_OPACITY,
    INK_ON_DEEP,
    INK_ON_PALE,
    LIGHT,
    SERIES,
    Colour,
    Pair,
    Theme,
    rgb_of,
)

_FONT = '"Source Sans", "Source Sans Pro", "Segoe UI", Arial, sans-serif'


Dash = Literal["-", "--", ":", "-."] | tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Style:
    """How the lines and points of one series look: for plotly, and in pictures (matplotlib)."""

    colour: Pair
    dash: str
    marker: str
    picture_dash: Dash
    picture_marker: str


_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross")
_PICTURE_DASHES: tuple[Dash, ...] = ("-", "--", ":", "-.", (0, (8, 3)), (0, (8, 2, 2, 2)))
_PICTURE_MARKERS = ("o", "s", "D", "^", "X", "P")
_STYLES = tuple(
    Style(*looks)
    for looks in zip(SERIES, _DASHES, _MARKERS, _PICTURE_DASHES, _PICTURE_MARKERS, strict=True)
)


def style_of(number: int) -> Style:
    """The style of the series of this number, from 0; after the sixth they begin anew."""
    return _STYLES[number % len(_STYLES)]


def theme_of(dark: bool) -> Theme:
    """The colours of text, grid and scales for a light or a dark page."""
    return DARK if dark else LIGHT


def lay_out(figure: go.Figure, dark: bool, *, height: int) -> None:
    """Give a figure the looks all of them share; `height` in pixels."""
    theme = theme_of(dark)
    grid = f"rgba{(*rgb_of(theme.grid), GRID_OPACITY)}"
    figure.update_layout(
        template="none",
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": _FONT, "size": 13, "color": theme.text},
        hoverlabel={"font": {"family": _FONT}},
        margin={"l": 8, "r": 12, "t": 34, "b": 8},
        legend={"orientation": "h", "x": 0, "yanchor": "top", "itemclick": False},
        separators=". ",
    )
    shared = {
        "gridcolor": grid,
        "linecolor": grid,
        "zerolinecolor": grid,
        "automargin": True,
        "fixedrange": True,
        "title": {"font": {"size": 13, "color": theme.faint}, "standoff": 6},
    }
    figure.update_xaxes(**shared)
    figure.update_yaxes(**shared)


def label_text(words: str) -> str:
    """Words for a label: plotly reads a little HTML, which a name must not smuggle in."""
    return html.escape(words)


def readable_on(ground: Colour) -> str:
    """Near-black or white, whichever contrasts more with the ground (WCAG relative luminance)."""
    linear = [(c / 255) / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in ground]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return INK_ON_PALE if (luminance + 0.05) ** 2 > 0.0525 * 1.05 else INK_ON_DEEP
