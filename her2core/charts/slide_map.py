"""A slide with the readings of its regions laid over it: grades, disagreement and doubt.

Drawn with matplotlib for the command line; a layer by itself, for a viewer, needs numpy only.
"""

from __future__ import annotations

import io
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from her2core.common.palette import GRADES, HEAT, LIGHT, NOT_COUNTED, Colour
from her2core.scores import HER2Score
from her2core.slides.readings import RegionReading, SlideReading
from her2core.slides.tables import grade_of

Kind = Literal["grade", "disagreement", "doubt"]
KINDS: dict[Kind, str] = {
    "grade": "Grade (mean of the networks)",
    "disagreement": "Disagreement of the readers",
    "doubt": "Doubt",
}
_OPACITY = 140
_ENDS = {"disagreement": ("none", "3 grades"), "doubt": ("sure", "a guess")}
# of four scores a guess gives each a quarter
_MOST_DOUBT = 0.75


def disagreement(one: RegionReading) -> float:
    """How far the readers are apart in grades, [0, 3]: networks, and the measurement's score."""
    scores = [int(verdict.score) for verdict in one.verdicts]
    if one.stain.score is not None:
        scores.append(int(one.stain.score))
    return float(max(scores) - min(scores)) if scores else 0.0


def doubt(one: RegionReading) -> float:
    """How unsure the networks are together, [0, 0.75]: 1 less their highest mean probability."""
    if not one.verdicts:
        return _MOST_DOUBT
    chances = np.mean([verdict.probabilities for verdict in one.verdicts], axis=0)
    return 1 - float(chances.max())


def map_layer(reading: SlideReading, kind: Kind, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
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
            *_colour(one, kind),
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
    shown: list[tuple[str, Kind | None]] = [("Slide", None)]
    shown += [(title, kind) for kind, title in KINDS.items()]
    for axes, (title, kind) in zip(figure.subplots(1, 4), shown, strict=True):
        axes.imshow(overview)
        axes.set_title(title, color=LIGHT.text, fontsize=11)
        axes.set_axis_off()
        if kind is None:
            continue
        axes.imshow(map_layer(reading, kind, (width, height)))
        handles = [
            Patch(facecolor=f"#{bytes(colour).hex()}", label=label)
            for label, colour in legend(kind)
        ]
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


def legend(kind: Kind) -> list[tuple[str, Colour]]:
    """Labels and colours of one kind of map."""
    apart = ("not assessable", NOT_COUNTED)
    if kind == "grade":
        return [*((score.label, GRADES[score]) for score in HER2Score), apart]
    low, high = _ENDS[kind]
    return [(low, HEAT[0][1]), ("between", HEAT[2][1]), (high, HEAT[-1][1]), apart]


def _colour(one: RegionReading, kind: Kind) -> Colour:
    grade = grade_of(one)
    if grade is None:
        return NOT_COUNTED
    if kind == "grade":
        return GRADES[grade]
    value = disagreement(one) / 3 if kind == "disagreement" else doubt(one) / _MOST_DOUBT
    stops = [stop for stop, _ in HEAT]
    channels = np.array([colour for _, colour in HEAT]).T
    red, green, blue = (round(float(np.interp(value, stops, row))) for row in channels)
    return red, green, blue


def _drawable(words: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in words[:160])
