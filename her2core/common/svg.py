"""Outlines as an SVG picture: lines that keep their width on the screen however far one zooms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.common.palette import EDGE, Colour

Outline = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Lines:
    """Closed outlines of one look.

    Attributes:
        outlines: float (n, 2) each, x and y.
        colour: of the line.
        width: of the line, in pixels of the screen.
        edged: with a dark edge, which keeps the colour apart from whatever lies under it.
    """

    outlines: Sequence[Outline] | npt.NDArray[np.float32]
    colour: Colour
    width: float
    edged: bool = True


def outlines_svg(width: float, height: float, lines: Iterable[Lines]) -> str:
    """An SVG of this size with these lines, later ones above earlier ones."""
    paths = []
    for one in lines:
        if not len(one.outlines):
            continue
        shape = "".join(_closed(outline) for outline in one.outlines)
        looks = [(EDGE, one.width + 2), (one.colour, one.width)]
        paths += [_path(shape, *look) for look in looks[0 if one.edged else 1 :]]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'preserveAspectRatio="none" fill="none" stroke-linejoin="round">{"".join(paths)}</svg>'
    )


def _closed(outline: Outline) -> str:
    return f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in outline)}Z"


def _path(shape: str, colour: Colour, width: float) -> str:
    red, green, blue = colour
    return (
        f'<path d="{shape}" stroke="rgb({red},{green},{blue})" stroke-width="{width:g}" '
        'vector-effect="non-scaling-stroke"/>'
    )
