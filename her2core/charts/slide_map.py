"""A slide with the readings of its regions laid over it, drawn for the command line."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from her2core.common.palette import LIGHT, css
from her2core.slides.readings import SlideReading
from her2core.slides.region_map import DISAGREEMENT, DOUBT, GRADE, colour_of, legend

_SHOWN = {
    GRADE: "Grade (mean of the networks)",
    DISAGREEMENT: "Disagreement of the readers",
    DOUBT: "Doubt",
}
_OPACITY = 140


def map_layer(reading: SlideReading, kind: str, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The regions in the colours of one kind of map.

    Args:
        reading: of the slide.
        kind: which map.
        size: width and height of the picture the layer lies on, which shows the whole slide.

    Returns:
        RGBA, uint8 (h, w, 4), clear where nothing was read.
    """
    layer = np.zeros((size[1], size[0], 4), np.uint8)
    across, down = size[0] / reading.facts.width, size[1] / reading.facts.height
    for one in reading.regions:
        region = one.region
        left, right = (round(x * across) for x in (region.x, region.x + region.size))
        top, bottom = (round(y * down) for y in (region.y, region.y + region.size))
        layer[top : max(bottom, top + 1), left : max(right, left + 1)] = (
            *colour_of(one, kind),
            _OPACITY,
        )
    return layer


def slide_picture(reading: SlideReading, overview: npt.NDArray[np.uint8], caption: str) -> bytes:
    """PNG of a slide and its three maps side by side, each with its legend.

    Args:
        reading: of the slide.
        overview: uint8 (h, w, 3), the whole slide.
        caption: what to write above, one line.
    """
    from matplotlib.figure import Figure  # half a second that no page waits for
    from matplotlib.patches import Patch

    height, width = overview.shape[:2]
    tall = min(12.0, max(4.0, 5.0 * height / width)) + 1.2
    figure = Figure(figsize=(20, tall), dpi=100, layout="constrained")
    figure.suptitle(_drawable(caption), color=LIGHT.text, parse_math=False)
    shown: list[tuple[str, str | None]] = [("Slide", None)]
    shown += [(title, kind) for kind, title in _SHOWN.items()]
    for axes, (title, kind) in zip(figure.subplots(1, 4), shown, strict=True):
        axes.imshow(overview)
        axes.set_title(title, color=LIGHT.text, fontsize=11)
        axes.set_axis_off()
        if kind is None:
            continue
        axes.imshow(map_layer(reading, kind, (width, height)))
        handles = [Patch(facecolor=css(colour), label=label) for label, colour in legend(kind)]
        axes.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.01),
            ncols=len(handles),
            frameon=False,
            fontsize=9,
            labelcolor=LIGHT.text,
        )
    stream = io.BytesIO()
    options: dict[str, Any] = {"metadata": {"Software": None}}
    figure.savefig(stream, format="png", **options)
    return stream.getvalue()


def _drawable(words: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in words[:160])
