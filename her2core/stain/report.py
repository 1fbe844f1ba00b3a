"""The third reader's report of one image: what is kept of it, and the cells, to be drawn."""

from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from her2core.stain.cells import NO_CELLS, MeasuredCells, Pattern, measure_cells, pooled
from her2core.stain.density import FloatImage, foreign_share, glass_of, separate
from her2core.stain.nuclei import WORKING_UM
from her2core.stain.reading import StainReading, method_id, pooled_score
from her2core.stain.scale import ASSUMED_UM_PER_PIXEL, estimate_um_per_pixel
from her2core.stain.thresholds import StainThresholds

ScaleSource = Literal["given", "nuclei", "assumed"]

# larger pictures are measured in tiles of this side, so that memory stays flat
_TILE_UM = 400.0
FOREIGN_COLOURS = "The colours are not those of haematoxylin and DAB, so there is no score."
_SCALE_SIDE = 1024


@dataclass(frozen=True)
class MembraneReport:
    """What was measured on one image, without any network.

    Attributes:
        reading: what is kept; its figures are rounded to what the measurement can tell.
        um_per_pixel: the scale that was used, and `scale_source` where it comes from.
        cells: every cell, for drawing.
    """

    reading: StainReading
    um_per_pixel: float
    scale_source: ScaleSource
    cells: MeasuredCells = field(compare=False, repr=False)

    @property
    def other_cells(self) -> int:
        """Further nuclei that look like stroma or debris; they count for nothing."""
        return len(self.cells) - self.reading.cells


def measure_membranes(
    rgb: npt.NDArray[np.uint8],
    um_per_pixel: float | None = None,
    thresholds: StainThresholds | None = None,
) -> MembraneReport:
    """Measure the membrane staining of every cell of an image.

    Args:
        rgb: uint8 (H, W, 3), any size; large images are measured in tiles.
        um_per_pixel: micrometres per pixel; None: estimated from the size of the nuclei.
        thresholds: what counts as stained, complete and intense.

    Raises:
        ValueError: the image is not uint8 (H, W, 3), or the scale not a positive number.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError("The stain measurement reads uint8 images of shape (height, width, 3).")
    if um_per_pixel is not None and not 0 < um_per_pixel < np.inf:
        raise ValueError("Micrometres per pixel must be a positive number.")
    thresholds = thresholds or StainThresholds()
    if min(rgb.shape[:2]) == 0:
        return report_of(NO_CELLS, ASSUMED_UM_PER_PIXEL, "assumed", thresholds)
    glass = glass_of(rgb)
    scale, source = _scale(rgb, um_per_pixel, glass)
    side = max(1, round(_TILE_UM / scale))
    tiles = [
        _tile(rgb[y : y + side, x : x + side], scale, thresholds, glass).placed(1.0, x, y)
        for y in range(0, rgb.shape[0], side)
        for x in range(0, rgb.shape[1], side)
    ]
    report = report_of(pooled(tiles), scale, source, thresholds)
    thumbnail = rgb[:: max(1, rgb.shape[0] // 512), :: max(1, rgb.shape[1] // 512)]
    if foreign_share(thumbnail) > thresholds.foreign_share:
        refused = replace(report.reading, score=None, ultralow=False, reason=FOREIGN_COLOURS)
        return replace(report, reading=refused)
    return report


def report_of(
    cells: MeasuredCells,
    um_per_pixel: float,
    scale_source: ScaleSource,
    thresholds: StainThresholds,
) -> MembraneReport:
    """Count the cells and apply the rule to them."""
    patterns = cells.pattern[cells.tumour_like]
    tally = np.bincount(patterns, minlength=len(Pattern))
    stained = cells.tumour_like & (cells.pattern > Pattern.NONE)
    score, ultralow, counts = pooled_score(
        [(int(tally[0]), int(tally[1]), int(tally[2]), int(tally[3]))], thresholds
    )
    total, reason = sum(counts), None
    if um_per_pixel > thresholds.coarsest_um_per_pixel:
        score, ultralow = None, False
        reason = (
            f"Too coarse: at {'' if scale_source == 'given' else 'an estimated '}"
            f"{um_per_pixel:.2f} µm per pixel single membranes are not resolved; "
            "use a higher magnification or a smaller field."
        )
    elif total < thresholds.least_cells:
        noun = "cell was" if total == 1 else "cells were"
        reason = (
            f"Too few cells: {total or 'no'} tumour-like {noun} found, "
            f"{thresholds.least_cells} are needed for a score."
        )
    reading = StainReading(
        method_id(thresholds),
        counts,
        score,
        reason,
        ultralow,
        _median(cells.completeness[stained]),
        _median(cells.intensity[stained]),
        round(um_per_pixel, 4),
    )
    return MembraneReport(reading, um_per_pixel, scale_source, cells)


def _scale(
    rgb: npt.NDArray[np.uint8], um_per_pixel: float | None, glass: npt.NDArray[np.float32]
) -> tuple[float, ScaleSource]:
    if um_per_pixel is not None:
        return um_per_pixel, "given"
    height, width = rgb.shape[:2]
    top, left = max(0, (height - _SCALE_SIDE) // 2), max(0, (width - _SCALE_SIDE) // 2)
    middle = rgb[top : top + _SCALE_SIDE, left : left + _SCALE_SIDE]
    estimated = estimate_um_per_pixel(*separate(middle, glass))
    return (ASSUMED_UM_PER_PIXEL, "assumed") if estimated is None else (estimated, "nuclei")


def _tile(
    rgb: npt.NDArray[np.uint8],
    scale: float,
    thresholds: StainThresholds,
    glass: npt.NDArray[np.float32],
) -> MeasuredCells:
    haematoxylin, dab = working_maps(rgb, scale, glass)
    return measure_cells(haematoxylin, dab, thresholds).placed(WORKING_UM / scale)


def working_maps(
    rgb: npt.NDArray[np.uint8], um_per_pixel: float, glass: npt.NDArray[np.float32]
) -> tuple[FloatImage, FloatImage]:
    """Haematoxylin and DAB optical density of an image at `nuclei.WORKING_UM` per pixel."""
    factor = um_per_pixel / WORKING_UM
    height, width = rgb.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    working = np.asarray(cv2.resize(rgb, size, interpolation=way), dtype=np.uint8)
    return separate(working, glass)


def _median(values: npt.NDArray[np.float32]) -> float | None:
    # a list: numpy computes a single percentile in float32 alone, and otherwise in its last digit
    return round(float(np.percentile(values, [50])[0]), 4) if len(values) else None
