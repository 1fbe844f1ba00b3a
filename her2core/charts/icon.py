"""The picture in the browser's tab: a nucleus in a stained membrane, drawn here.

Streamlit has icons of its own for this, but a browser would fetch them from another host.
"""

from __future__ import annotations

import functools

from PIL import Image, ImageDraw

from her2core.common.palette import ICON_CELL, ICON_MEMBRANE, ICON_NUCLEUS

_SIDE = 64


@functools.cache
def icon() -> Image.Image:
    """A square picture on a transparent ground, legible on light and dark tabs."""
    large = Image.new("RGBA", (4 * _SIDE, 4 * _SIDE))  # drawn large, for smooth edges
    draw = ImageDraw.Draw(large)
    draw.ellipse((12, 12, 244, 244), fill=ICON_CELL, outline=ICON_MEMBRANE, width=40)
    draw.ellipse((84, 84, 172, 172), fill=ICON_NUCLEUS)
    return large.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
