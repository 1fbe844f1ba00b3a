"""The cells that the stain measurement counts on a slide, for QuPath; measured when asked for.

What is kept of a slide are the numbers of cells in each region (`readings`); their outlines, a
hundred times as much, are found anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from her2core.common.palette import CELLS
from her2core.scores import HER2Score
from her2core.slides.geojson import Shape
from her2core.slides.reading import region_patch
from her2core.slides.readings import SlideReading
from her2core.slides.regions import Region
from her2core.slides.slide import Slide
from her2core.stain.cells import MeasuredCells
from her2core.stain.report import FOREIGN_COLOURS, measure_membranes
from her2core.stain.thresholds import StainThresholds


def cell_shapes(
    slide: Slide, reading: SlideReading, thresholds: StainThresholds
) -> Iterator[Shape]:
    """Each tumour-like cell that counts for the slide's score, in the class of its membrane.

    Args:
        slide: open.
        reading: of it.
        thresholds: what the reading went by.

    Raises:
        SlideError: a part of the slide is damaged.
    """
    for one in reading.regions:
        if one.left_out is None and one.stain.reason != FOREIGN_COLOURS:
            region = one.region
            patch = region_patch(slide, region, reading.glass)
            scale = region.size / patch.width
            found = measure_membranes(patch.rgb, reading.um_per_pixel * scale, thresholds)
            yield from _shapes(found.cells.placed(scale, region.x, region.y), region)


def _shapes(cells: MeasuredCells, region: Region) -> Iterator[Shape]:
    for number in cells.tumour_like.nonzero()[0]:
        pattern = int(cells.pattern[number])
        outline = [(round(float(x), 1), round(float(y), 1)) for x, y in cells.outlines[number]]
        numbers = {
            "membrane completeness": float(cells.completeness[number]),
            "membrane DAB density": float(cells.intensity[number]),
        }
        yield Shape(
            (*outline, outline[0]),
            "detection",
            region.core,
            f"Tumour cell {HER2Score(pattern).key}",
            CELLS[pattern],
            numbers,
        )
