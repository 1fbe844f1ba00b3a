"""How large a pixel of a slide is: given, else as its file says, else told by its nuclei.

What a file says is believed where a slide scanner can have such pixels, from 0.08 µm (100x, oil) to
2 µm; anything else (0, a metre, dots an inch) is set aside with a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np
import numpy.typing as npt

from her2core.slides.slide import SlideError
from her2core.stain.density import separate
from her2core.stain.scale import UNRESOLVED_UM_PER_PIXEL, estimate_um_per_pixel

FINEST_UM, COARSEST_UM = 0.08, 2.0
PROVISIONAL_UM = 0.25
PLACES, PLACE_PIXELS = 7, 1024
_LEAST_PLACES = 2

ScaleSource = Literal["given", "file", "nuclei"]


@dataclass(frozen=True)
class Scale:
    """Micrometres per pixel of the full resolution, where that comes from, and what to say."""

    um_per_pixel: float
    source: ScaleSource
    note: str = ""


def plausible(um_per_pixel: float | None) -> bool:
    """Whether a slide scanner can have pixels of this size."""
    return um_per_pixel is not None and FINEST_UM <= um_per_pixel <= COARSEST_UM


def known_scale(given: float | None, said: float | None) -> Scale | None:
    """The scale as given or as the file says; None where neither is plausible.

    Raises:
        ValueError: the given one is not plausible.
    """
    if given is not None:
        if not plausible(given):
            raise ValueError(
                f"{given:g} µm per pixel is no scale of a slide; it lies between {FINEST_UM:g} "
                f"and {COARSEST_UM:g}."
            )
        return Scale(given, "given")
    if said is not None and plausible(said):
        return Scale(said, "file")
    return None


def scale_by_nuclei(
    read: Callable[[int, int], npt.NDArray[np.uint8]],
    corners: Sequence[tuple[int, int]],
    said: float | None,
    name: str,
) -> Scale:
    """The scale told by nuclei at several places of the tissue: the median.

    Args:
        read: gives `PLACE_PIXELS` square at full resolution from its corner.
        corners: where to look.
        said: what the file said, not plausible; None where it said nothing.
        name: of the slide.

    Raises:
        SlideError: too few nuclei are found, or they are too small or too faint to be measured; the
            scale must be given.
    """
    seen = [estimate_um_per_pixel(*separate(read(*corner))) for corner in corners]
    known = [value for value in seen if value is not None]
    enough = known and len(known) >= min(_LEAST_PLACES, len(corners))
    if not enough or median(known) >= UNRESOLVED_UM_PER_PIXEL:
        why = "too few nuclei are found" if not enough else "its nuclei are too small or too faint"
        raise SlideError(
            f"“{name}” does not say how large its pixels are, and {why} to tell; give micrometres "
            "per pixel (--um-per-pixel)."
        )
    why = "The file does not say how large its pixels are"
    if said is not None:
        shown = f"{said:g}" if math.isfinite(said) else "an impossible number of"
        why = f"The file says {shown} µm per pixel, which no slide scanner has"
    value = round(median(known), 4)
    return Scale(value, "nuclei", f"{why}; {value:.2f} µm were estimated from nuclei.")
