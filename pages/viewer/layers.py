"""The layers that pages lay over an image: heat maps, and what the stain measurement found."""

from her2core.common.palette import CONTOUR, CONTOUR_AGAINST, CONTOUR_FOR, MEMBRANE, css
from her2core.models.architectures import model_name
from her2core.preprocessing.patches import Patch
from her2core.serving import pictures
from her2core.serving.stain_service import LARGEST_SIDE
from her2core.stain.drawing import legend
from her2core.xai.explanation import Explanation
from her2core.xai.overlay import colour_stops
from pages.viewer.component import Layer, Legend

_HEAT_OPACITY = 55


def of_map(
    patch: Patch, architecture: str, explanation: Explanation, title: str, side: int
) -> list[Layer]:
    """A heat map as colours and as contours, at its place in the square.

    Args:
        patch: with the square that was read.
        architecture: of the model.
        explanation: its map.
        title: of the map, without the model.
        side: where the model stands when two stand side by side.
    """
    named = f"{model_name(architecture)}, {title}"
    low, high = _ends(explanation)
    square = explanation.part or patch.square
    stops = [
        (f"rgb({r} {g} {b} / {stop.cover:.2f})", 100 * (stop.value + 1) / 2)
        if explanation.signed
        else (f"rgb({r} {g} {b} / {stop.cover:.2f})", 100 * stop.value)
        for stop in colour_stops(explanation.method, signed=explanation.signed)
        for r, g, b in [stop.rgb]
    ]
    swatches = (
        [(css(CONTOUR_FOR), high), (css(CONTOUR_AGAINST), low)]
        if explanation.signed
        else [(css(CONTOUR), f"40 % and, thicker, 75 % of {high}")]
    )
    return [
        Layer(
            f"heat {architecture}",
            named,
            pictures.map_path(patch, architecture, explanation, "heat"),
            square,
            Legend(stops, low, high),
            side,
            shown=side == 0,
            opacity=_HEAT_OPACITY,
            grey=explanation.signed,
        ),
        Layer(
            f"contours {architecture}",
            f"Contours of {named}",
            pictures.map_path(patch, architecture, explanation, "contours"),
            square,
            Legend(swatches=swatches),
            side,
        ),
    ]


def of_stain(patch: Patch) -> list[Layer]:
    """The cells and the membrane that the stain measurement finds in the square, if it is asked."""
    if patch.square.size > LARGEST_SIDE:
        return []
    return [
        Layer(
            "membrane",
            "Stained membrane (stain measurement)",
            pictures.stain_path(patch, "membrane"),
            patch.square,
            Legend(swatches=[(css(MEMBRANE), "stained membrane, faint staining too")]),
            opacity=70,
        ),
        Layer(
            "cells",
            "Cells (stain measurement)",
            pictures.stain_path(patch, "cells"),
            patch.square,
            Legend(swatches=legend()),
        ),
    ]


def _ends(explanation: Explanation) -> tuple[str, str]:
    """What the two ends of the scale mean."""
    if explanation.against is not None:
        return f"for {explanation.against.label}", f"for {explanation.target.label}"
    if explanation.signed:
        return "against the class", "for the class"
    return "no weight", "most weight for the class"
