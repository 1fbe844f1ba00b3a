"""Every colour that the product draws, by what it marks; another palette is a change of this file.

Hues are Okabe and Ito's ("Color Universal Design", 2008) and relatives of theirs that read on a
light or a dark ground: apart for colour-blind eyes. Streamlit takes the pages' own theme from
.streamlit/config.toml alone; GROUND and FRAME_EDGE repeat what plots and pictures need of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

Colour = tuple[int, int, int]


class Pair(NamedTuple):
    """A colour for a light and for a dark ground, as "#rrggbb"."""

    light: str
    dark: str

    def on(self, dark: bool) -> str:
        """The one for this ground."""
        return self.dark if dark else self.light


def rgb_of(colour: str) -> Colour:
    """Red, green and blue, 0 to 255, of "#rrggbb"."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def css(colour: Colour) -> str:
    """The colour as "#rrggbb"."""
    return f"#{bytes(colour).hex()}"


def mixed(low: str, high: str, share: float) -> Colour:
    """The colour at `share` in [0, 1] of the way between two."""
    red, green, blue = (
        round(a + (b - a) * share) for a, b in zip(rgb_of(low), rgb_of(high), strict=True)
    )
    return red, green, blue


_BLUE, _VERMILION, _GREEN = "#0072B2", "#D55E00", "#009E73"
_SKY, _ORANGE, _YELLOW, _PINK = "#56B4E9", "#E69F00", "#F0E442", "#CC79A7"
_DIM = Pair("#5C6070", "#B4B8C4")

# ---- plots --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Theme:
    """Colours of a ground: text, faint text, grid, the ends of a scale of shares, hatching."""

    text: str
    faint: str
    grid: str
    empty: str
    full: str
    hatch: str


GRID_OPACITY = 0.28
LIGHT = Theme("#31333F", _DIM.light, "#6E7382", "#F0F5FA", "#084594", "#FFFFFF")
DARK = Theme("#FAFAFA", _DIM.dark, "#A0A5B4", "#1E2632", "#9ECAE1", "#1B1B1B")
GROUND = Pair("#fbfcfc", "#12191d")
INK_ON_PALE, INK_ON_DEEP = "#111111", "#FFFFFF"

# lines and points of a report, in order
SERIES = (
    Pair(_BLUE, _SKY),
    Pair(_VERMILION, "#FF9A4D"),
    Pair(_GREEN, "#2FD0A0"),
    Pair("#8A6A00", _YELLOW),
    Pair("#AA4499", "#E29AC8"),
    Pair("#555555", "#CCCCCC"),
)
# networks, in the order in which they are listed
MODELS = (Pair(_BLUE, _SKY), Pair(_VERMILION, _ORANGE), Pair(_GREEN, _GREEN), Pair(_PINK, _PINK))
OTHER_METHOD = _DIM  # what heat maps are held against

# how far a score lies below or above another, from two grades lower to two higher
DIFFERENCES = ("#0B4F8A", _SKY, "#D9D9D9", _ORANGE, "#A3400B")
# whose score an adjudicator's decision was: both, the reviewer, the network, neither
DECIDED = ("#D9D9D9", _GREEN, _PINK, "#555555")

# ---- the HTML report ----------------------------------------------------------------------------

PAGE_TEXT, PAGE_LINE = "#17252b", "#cfd9dc"
CAUTION, CAUTION_GROUND = _VERMILION, "#fff5ec"

# ---- on the tissue ------------------------------------------------------------------------------

EDGE = (20, 20, 20)  # beside a line, so that it shows on any ground
_TEAL = "#0b6970"
FRAME, FRAME_EDGE = (255, 255, 255), rgb_of(_TEAL)
# of the viewer, as its style sheet names them
VIEWER = {
    "frame": _TEAL,
    "ink": "#17252b",
    "paper": "#ffffff",
    "veil": "#d8dcde",  # outside the square that is read
    "seen": "#d0021b",  # on the mini map: what the screen shows
    "nothing": "#f5f5f5",  # where a scale is transparent
}
CAPTION, CAPTION_WARNING = (20, 20, 20), (150, 30, 30)

# cells by pattern of staining, none to intense; they also differ in lightness from brown and blue
CELLS = (rgb_of(_SKY), rgb_of(_YELLOW), rgb_of(_GREEN), rgb_of(_PINK))
NOT_COUNTED = (150, 150, 150)
MEMBRANE = (0, 229, 255)  # far from brown and from the blue of nuclei

# regions of a slide by grade, 0 to 3+: rising in warmth and in depth
GRADES = (rgb_of(_SKY), rgb_of(_YELLOW), rgb_of(_ORANGE), rgb_of("#A3123A"))

# contours of a heat map: for the class; of a signed map for and against it
CONTOUR, CONTOUR_FOR, CONTOUR_AGAINST = rgb_of(_YELLOW), (255, 110, 60), rgb_of(_SKY)
# heat and its colour: dark violet over teal to yellow, rising steadily in lightness
HEAT = (
    (0.0, (68, 1, 84)),
    (0.25, (59, 82, 139)),
    (0.5, (33, 145, 140)),
    (0.75, (94, 201, 98)),
    (1.0, (253, 231, 37)),
)
# of a signed map: blue against, red for; nothing in between
SIGNED_HEAT = (
    (-1.0, (0, 68, 204)),
    (-0.5, (66, 133, 244)),
    (0.0, (245, 245, 245)),
    (0.5, (240, 80, 90)),
    (1.0, (200, 0, 40)),
)

# the icon in the browser's tab: a nucleus in a stained membrane
ICON_CELL, ICON_MEMBRANE, ICON_NUCLEUS = "#f6e7d6", "#9a5a22", "#3f62a8"
