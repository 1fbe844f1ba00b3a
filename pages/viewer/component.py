"""What a page hands to the viewer, and what it hands back: a square, or a region of a slide."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from her2core.preprocessing.patches import Patch, Square
from her2core.serving import pictures
from her2core.serving.slide_pictures import coarsest_level
from her2core.serving.stain_service import LARGEST_SIDE
from her2core.slides.slide import SlideFacts
from pages.shell import protocol, session
from pages.viewer.routes import CODE, SLIDE_CODE

# Smaller squares cannot be chosen.
SMALLEST_SQUARE = 64
# The code is asked for once and kept by the browser, instead of going along with every run.
LOAD = """
export default async function (component) {
  const { draw } = await import(new URL(component.data.code, document.baseURI).href);
  return draw(component);
}
"""
_component = st.components.v2.component("her2_viewer", js=LOAD, isolate_styles=False)


@dataclass(frozen=True)
class Legend:
    """What the colours of a layer mean.

    Attributes:
        stops: of a scale: (CSS colour, place in percent) each; `low` and `high` are its ends.
        swatches: (CSS colour, meaning) each, where the colours make no scale.
    """

    stops: Sequence[tuple[str, float]] = ()
    low: str = ""
    high: str = ""
    swatches: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Layer:
    """A picture over the image.

    Attributes:
        name: under which the browser remembers whether it is shown, and how opaque.
        title: says what it is, also to who cannot see it.
        path: of the picture, as her2core.serving.pictures names it.
        square: where it lies; None: all over a slide.
        legend: what its colours mean.
        pane: in which of the two views beside each other it stands; None: in both.
        shown: from the start.
        opacity: from the start, 0 to 100 %.
        grey: the image turns grey under it.
    """

    name: str
    title: str
    path: str
    square: Square | None
    legend: Legend
    pane: int | None = None
    shown: bool = False
    opacity: int = 100
    grey: bool = False


@dataclass(frozen=True)
class PartLabel:
    """A part of the square that is read by itself.

    Attributes:
        square: the part.
        title: what stands in its corner.
        lines: what else is said of it.
        decides: a verdict is taken from it.
    """

    square: Square
    title: str
    lines: Sequence[str]
    decides: bool


def show(
    key: str,
    patch: Patch,
    layers: Sequence[Layer] = (),
    beside: Sequence[str] = (),
    parts: Sequence[PartLabel] = (),
    *,
    movable: bool = False,
) -> Square | None:
    """Draw the viewer; the square that the reviewer has just let go of, or None.

    Args:
        key: of the element.
        patch: the image, with the square that is read.
        layers: over it, the first at the bottom.
        beside: titles of the two views that can stand side by side; empty: one view alone.
        parts: where the square is read in parts.
        movable: whether the square can be moved.
    """
    measured = patch.square.size <= LARGEST_SIDE
    data = {
        "code": protocol.base_path() + CODE,
        "patch": patch.sha256,
        "width": patch.width,
        "height": patch.height,
        "image": session.signed(pictures.image_path(patch.sha256)),
        "scale": session.signed(pictures.stain_path(patch, "scale")) if measured else None,
        "square": asdict(patch.square),
        "least": min(SMALLEST_SQUARE, patch.width, patch.height),
        "movable": movable,
        "beside": list(beside),
        "parts": [asdict(part) for part in parts],
        "layers": _layers(layers),
    }
    result = _component(
        key=key,
        data=data,
        on_square_change=nothing,
        on_renew_change=nothing,  # the addresses have expired: being drawn anew is all it takes
    )
    return _square(result.square, patch) if movable else None


def show_slide(
    slide: str,
    facts: SlideFacts,
    um_per_pixel: float | None,
    layers: Sequence[Layer],
    *,
    estimated: bool,
) -> tuple[int, int] | None:
    """Draw the viewer of a slide; the corner (x, y) of the region that was clicked on, or None.

    Args:
        slide: its id.
        facts: what its file says of itself.
        um_per_pixel: of its full resolution; None where it is not known.
        layers: over it; one map at most.
        estimated: the scale comes from the nuclei.
    """
    scale = None if um_per_pixel is None else {"perPixel": um_per_pixel, "about": estimated}
    data = {
        "code": protocol.base_path() + SLIDE_CODE,
        "patch": slide,
        "width": facts.width,
        "height": facts.height,
        "tiles": session.signed(pictures.tiles_path(slide)),
        "coarsest": coarsest_level(facts.width, facts.height),
        "um": scale,
        "movable": False,
        "beside": [],
        "parts": [],
        "layers": _layers(layers),
    }
    result = _component(
        key=f"slide-{slide}", data=data, on_region_change=nothing, on_renew_change=nothing
    )
    corner = _numbers(result.region, ("x", "y"))
    return None if corner is None else (corner[0], corner[1])


def _layers(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    return [asdict(layer) | {"address": session.signed(layer.path)} for layer in layers]


def _square(answer: object, patch: Patch) -> Square | None:
    """What a browser says, which may be anything, as a square of the image."""
    numbers = _numbers(answer, ("x", "y", "size"))
    if numbers is None:
        return None
    return Square(*numbers).within(patch.width, patch.height, SMALLEST_SQUARE)


def _numbers(answer: object, names: Sequence[str]) -> list[int] | None:
    """The whole numbers of these names, where a browser says them."""
    values = [answer.get(name) for name in names] if isinstance(answer, dict) else [None]
    numbers = [number for number in values if isinstance(number, int)]
    return numbers if len(numbers) == len(names) else None


def nothing() -> None:
    """Called back for what a component hands back: it has to be named to be handed back at all."""
