"""What a page hands to the viewer, and what it hands back: a square, or a region of a slide."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from her2core.preprocessing.patches import Patch, Square
from her2core.serving import pictures
from her2core.serving.slide_pictures import coarsest_level
from her2core.serving.stain_service import LARGEST_SIDE
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
        pane: beside which title of `Scene.beside` it stands; None: in every one.
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


@dataclass(frozen=True)
class Scene:
    """All that the viewer shows.

    Attributes:
        patch: the image, with the square that is read.
        layers: over it, the first at the bottom.
        beside: titles of the two views that can stand side by side; empty: one view alone.
        parts: where the square is read in parts.
        movable: whether the square can be moved.
    """

    patch: Patch
    layers: Sequence[Layer] = ()
    beside: Sequence[str] = ()
    parts: Sequence[PartLabel] = ()
    movable: bool = False


@dataclass(frozen=True)
class SlideScene:
    """A slide, with the map of its regions.

    Attributes:
        key: of the slide, by which the server knows it.
        width, height: of its full resolution.
        um_per_pixel: of that; None where it is not known.
        estimated: the scale was told by nuclei.
        layers: over it; one map at most.
    """

    key: str
    width: int
    height: int
    um_per_pixel: float | None
    estimated: bool = False
    layers: Sequence[Layer] = ()


def show(key: str, scene: Scene) -> Square | None:
    """Draw the viewer; the square that the reviewer has just let go of, or None."""
    result = _component(
        key=key,
        data=_data(scene),
        on_square_change=nothing,
        on_renew_change=nothing,  # the addresses have expired: being drawn anew is all it takes
    )
    return _square(result.square, scene.patch) if scene.movable else None


def show_slide(key: str, scene: SlideScene) -> tuple[int, int] | None:
    """Draw the viewer of a slide; the corner (x, y) of the region that was clicked on, or None."""
    result = _component(
        key=key,
        data=_slide_data(scene),
        on_region_change=nothing,
        on_renew_change=nothing,
    )
    corner = _numbers(result.region, ("x", "y"))
    return None if corner is None else (corner[0], corner[1])


def _slide_data(scene: SlideScene) -> dict[str, Any]:
    um = scene.um_per_pixel
    return {
        "code": protocol.base_path() + SLIDE_CODE,
        "patch": scene.key,
        "width": scene.width,
        "height": scene.height,
        "tiles": session.signed(pictures.tiles_path(scene.key)),
        "coarsest": coarsest_level(scene.width, scene.height),
        "um": None if um is None else {"perPixel": um, "about": scene.estimated},
        "movable": False,
        "beside": [],
        "parts": [],
        "layers": _layers(scene.layers),
    }


def _layers(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    return [asdict(layer) | {"address": session.signed(layer.path)} for layer in layers]


def _data(scene: Scene) -> dict[str, Any]:
    patch = scene.patch
    measured = patch.square.size <= LARGEST_SIDE
    return {
        "code": protocol.base_path() + CODE,
        "patch": patch.sha256,
        "width": patch.width,
        "height": patch.height,
        "image": session.signed(pictures.image_path(patch.sha256)),
        "scale": session.signed(pictures.stain_path(patch, "scale")) if measured else None,
        "square": asdict(patch.square),
        "least": min(SMALLEST_SQUARE, patch.width, patch.height),
        "movable": scene.movable,
        "beside": list(scene.beside),
        "parts": [asdict(part) for part in scene.parts],
        "layers": _layers(scene.layers),
    }


def _square(said: object, patch: Patch) -> Square | None:
    """What a browser says, which may be anything, as a square of the image."""
    found = _numbers(said, ("x", "y", "size"))
    return (
        None if found is None else Square(*found).within(patch.width, patch.height, SMALLEST_SQUARE)
    )


def _numbers(said: object, names: Sequence[str]) -> list[int] | None:
    """The whole numbers of these names, where a browser says them."""
    found = [said.get(name) for name in names] if isinstance(said, dict) else [None]
    numbers = [number for number in found if isinstance(number, int)]
    return numbers if len(numbers) == len(names) else None


def nothing() -> None:
    """Called back for what a component hands back: it has to be named to be handed back at all."""
