"""What is going to be read of a slide: scale, tissue, cores and regions, found at low power."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from her2core.preprocessing.glass import Colour
from her2core.slides.geojson import Area, drawn
from her2core.slides.regions import Region, find_cores, grid
from her2core.slides.scale import (
    PLACE_PIXELS,
    PLACES,
    PROVISIONAL_UM,
    Scale,
    known_scale,
    scale_by_nuclei,
)
from her2core.slides.slide import Slide, SlideError
from her2core.slides.tissue import Tissue, find_tissue
from her2core.stain.thresholds import StainThresholds

DEFAULT_UM = 200.0
# tissue is looked for at this scale, on larger slides at a coarser one
_OVERVIEW_UM, _OVERVIEW_PIXELS = 4.0, 16_000_000
_MOST_REGIONS = 60_000


@dataclass(frozen=True)
class Plan:
    """What is going to be read.

    Attributes:
        scale: of the full resolution.
        glass: colour of unstained glass, None where there is none.
        tissue_mm2: area of tissue.
        cores: names of the cores of a microarray; empty elsewhere.
        regions: to be read, in order.
        notes: what a person should know.
    """

    scale: Scale
    glass: Colour | None
    tissue_mm2: float
    cores: tuple[str, ...]
    regions: tuple[Region, ...]
    notes: tuple[str, ...]


def plan_slide(
    slide: Slide,
    side_um: float = DEFAULT_UM,
    um_per_pixel: float | None = None,
    areas: Sequence[Area] = (),
    coarsest_um: float = StainThresholds.coarsest_um_per_pixel,
) -> Plan:
    """Find the scale, the tissue and the regions of a slide.

    Args:
        slide: open.
        side_um: side of a region.
        um_per_pixel: the scale where it is known better than by the file.
        areas: annotations; regions are read only where at least half of them lies in these.
        coarsest_um: above so many micrometres per pixel nothing is scored.

    Raises:
        SlideError: it cannot be read, shows no tissue, does not tell its scale or is too coarse.
        ValueError: the given scale is not plausible.
    """
    facts = slide.facts
    scale = known_scale(um_per_pixel, facts.um_per_pixel)
    overview, reduction = _overview(slide, (scale.um_per_pixel if scale else PROVISIONAL_UM))
    if scale is None:
        tissue = find_tissue(overview, PROVISIONAL_UM * reduction)
        corners = _places(tissue, reduction, facts.width, facts.height)
        scale = scale_by_nuclei(
            lambda x, y: slide.read(x, y, PLACE_PIXELS, PLACE_PIXELS, (PLACE_PIXELS,) * 2),
            corners,
            facts.um_per_pixel,
            slide.name,
        )
    if scale.um_per_pixel > coarsest_um:
        raise SlideError(
            f"“{slide.name}” cannot be scored: at {scale.um_per_pixel:.2f} µm per pixel single "
            "membranes are not resolved; scan it at 20x or more."
        )
    tissue = find_tissue(overview, scale.um_per_pixel * reduction)
    if areas:
        tissue = replace(tissue, mask=tissue.mask & drawn(areas, tissue.mask.shape, reduction))
    cores = find_cores(tissue.mask, tissue.um_per_pixel)
    side = round(side_um / scale.um_per_pixel)
    size = (facts.width, facts.height)
    regions = grid(tissue.mask, reduction, side, cores, size)
    if not regions:
        where = "in the annotated areas" if areas else "on it"
        raise SlideError(f"“{slide.name}” cannot be scored: no tissue was found {where}.")
    if len(regions) > _MOST_REGIONS:
        raise SlideError(
            f"“{slide.name}” would be {len(regions):,} regions; check the scale, or read larger "
            "regions (--um)."
        )
    notes = [*slide.notes, *([scale.note] if scale.note else [])]
    if tissue.pen.any():
        notes.append("Pen marks on the slide were left out.")
    names = tuple(core.name for core in cores)
    return Plan(scale, tissue.glass, tissue.area_mm2, names, regions, tuple(notes))


def _overview(slide: Slide, um_per_pixel: float) -> tuple[npt.NDArray[np.uint8], float]:
    """The whole slide at low power, and how many of its pixels one of it is."""
    width, height = slide.facts.width, slide.facts.height
    reduction = max(1.0, _OVERVIEW_UM / um_per_pixel, math.sqrt(width * height / _OVERVIEW_PIXELS))
    size = (max(1, round(width / reduction)), max(1, round(height / reduction)))
    return slide.read(0, 0, width, height, size), width / size[0]


def _places(tissue: Tissue, reduction: float, width: int, height: int) -> list[tuple[int, int]]:
    """Corners of squares spread over the tissue, where nuclei are to be looked for."""
    rows, columns = np.nonzero(tissue.mask)
    if not len(rows):
        return []
    chosen = np.linspace(0, len(rows) - 1, PLACES + 2).astype(int)[1:-1]
    half = PLACE_PIXELS // 2
    return [
        (
            max(0, min(width - PLACE_PIXELS, round(columns[at] * reduction) - half)),
            max(0, min(height - PLACE_PIXELS, round(rows[at] * reduction) - half)),
        )
        for at in chosen
    ]
