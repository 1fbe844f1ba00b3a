"""The third reader's report of one image: cells, shares, score, and what it went by."""

from dataclasses import dataclass, field, replace
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from her2core.scores import HER2Score
from her2core.stain.cells import NO_CELLS, MeasuredCells, Pattern, measure_cells, pooled
from her2core.stain.density import FloatImage, separate
from her2core.stain.nuclei import WORKING_UM
from her2core.stain.rule import Shares, is_ultralow, score_of
from her2core.stain.scale import ASSUMED_UM_PER_PIXEL, estimate_um_per_pixel
from her2core.stain.thresholds import StainThresholds
from her2core.stain.vectors import FITTED, StainVectors, foreign_share, glass_of

ScaleSource = Literal["given", "nuclei", "assumed"]

# larger pictures are measured in tiles of this side, so that memory stays flat
_TILE_UM = 400.0
FOREIGN_COLOURS = "The colours are not those of haematoxylin and DAB, so there is no score."
_SCALE_SIDE = 1024


@dataclass(frozen=True)
class Spread:
    """Quartiles of a per-cell quantity over the stained cells."""

    lower: float
    median: float
    upper: float
    mean: float


@dataclass(frozen=True)
class MembraneReport:
    """What was measured on one image, without any network.

    Attributes:
        counts: tumour-like cells per `Pattern`, in its order.
        other_cells: further nuclei that look like stroma or debris; they count for nothing.
        completeness: share of the rim that is stained, over stained cells; None without any.
        intensity: DAB optical density of the stained rim, over stained cells; None without any.
        score: by the ASCO/CAP rule, or None where it cannot be told; never a default.
        reason: why there is no score, one sentence; None where there is one.
        ultralow: a 0 with membrane staining in some cells, too few for a 1+.
        um_per_pixel: the scale that was used, and `scale_source` where it comes from.
        thresholds: what counted as stained, complete and intense.
        cells: every cell, for drawing.
    """

    counts: tuple[int, int, int, int]
    other_cells: int
    completeness: Spread | None
    intensity: Spread | None
    score: HER2Score | None
    reason: str | None
    ultralow: bool
    um_per_pixel: float
    scale_source: ScaleSource
    thresholds: StainThresholds
    cells: MeasuredCells = field(compare=False, repr=False)

    @property
    def total(self) -> int:
        """Number of cells that count."""
        return sum(self.counts)

    @property
    def shares(self) -> Shares | None:
        """Share of each `Pattern` in [0, 1], together 1; None without any cell."""
        if not self.total:
            return None
        none, faint, moderate, intense = (count / self.total for count in self.counts)
        return none, faint, moderate, intense

    @property
    def verdict(self) -> str:
        """The score in words: "2+", "0 (HER2-ultralow)" or "no score"."""
        if self.score is None:
            return "no score"
        return f"{self.score.label} (HER2-ultralow)" if self.ultralow else self.score.label

    def table(self) -> list[tuple[str, int, float | None]]:
        """Rows (pattern, cells, share in [0, 1] or None), strongest staining first."""
        shares = self.shares
        return [
            (pattern.label, self.counts[pattern], None if shares is None else shares[pattern])
            for pattern in reversed(Pattern)
        ]


def measure_membranes(
    rgb: npt.NDArray[np.uint8],
    um_per_pixel: float | None = None,
    thresholds: StainThresholds | None = None,
    vectors: StainVectors = FITTED,
) -> MembraneReport:
    """Measure the membrane staining of every cell of an image.

    Args:
        rgb: uint8 (H, W, 3), any size; large images are measured in tiles.
        um_per_pixel: micrometres per pixel; None: estimated from the size of the nuclei.
        thresholds: what counts as stained, complete and intense.
        vectors: colours of the two stains; `estimate_vectors` gives those of the image itself,
            which did no better in the benchmark and shifts what the density thresholds mean.

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
    scale, source = _scale(rgb, um_per_pixel, vectors, glass)
    side = max(1, round(_TILE_UM / scale))
    tiles = [
        _tile(rgb[y : y + side, x : x + side], scale, thresholds, vectors, glass).placed(1.0, x, y)
        for y in range(0, rgb.shape[0], side)
        for x in range(0, rgb.shape[1], side)
    ]
    report = report_of(pooled(tiles), scale, source, thresholds)
    thumbnail = rgb[:: max(1, rgb.shape[0] // 512), :: max(1, rgb.shape[1] // 512)]
    if foreign_share(thumbnail, vectors) > thresholds.foreign_share:
        return replace(report, score=None, ultralow=False, reason=FOREIGN_COLOURS)
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
    counts = (int(tally[0]), int(tally[1]), int(tally[2]), int(tally[3]))
    stained = cells.tumour_like & (cells.pattern > Pattern.NONE)
    total = sum(counts)
    score, reason, ultralow = None, None, False
    if um_per_pixel > thresholds.coarsest_um_per_pixel:
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
    else:
        shares = (
            counts[0] / total,
            counts[1] / total,
            counts[2] / total,
            counts[3] / total,
        )
        score, ultralow = score_of(shares, thresholds), is_ultralow(shares, thresholds)
    return MembraneReport(
        counts=counts,
        other_cells=len(cells) - total,
        completeness=_spread(cells.completeness[stained]),
        intensity=_spread(cells.intensity[stained]),
        score=score,
        reason=reason,
        ultralow=ultralow,
        um_per_pixel=um_per_pixel,
        scale_source=scale_source,
        thresholds=thresholds,
        cells=cells,
    )


def _scale(
    rgb: npt.NDArray[np.uint8],
    um_per_pixel: float | None,
    vectors: StainVectors,
    glass: npt.NDArray[np.float32],
) -> tuple[float, ScaleSource]:
    if um_per_pixel is not None:
        return um_per_pixel, "given"
    height, width = rgb.shape[:2]
    top, left = max(0, (height - _SCALE_SIDE) // 2), max(0, (width - _SCALE_SIDE) // 2)
    middle = rgb[top : top + _SCALE_SIDE, left : left + _SCALE_SIDE]
    estimated = estimate_um_per_pixel(*separate(middle, vectors, glass))
    return (ASSUMED_UM_PER_PIXEL, "assumed") if estimated is None else (estimated, "nuclei")


def _tile(
    rgb: npt.NDArray[np.uint8],
    scale: float,
    thresholds: StainThresholds,
    vectors: StainVectors,
    glass: npt.NDArray[np.float32],
) -> MeasuredCells:
    haematoxylin, dab = working_maps(rgb, scale, vectors, glass)
    return measure_cells(haematoxylin, dab, thresholds).placed(WORKING_UM / scale)


def working_maps(
    rgb: npt.NDArray[np.uint8],
    um_per_pixel: float,
    vectors: StainVectors,
    glass: npt.NDArray[np.float32],
) -> tuple[FloatImage, FloatImage]:
    """Haematoxylin and DAB optical density of an image at `nuclei.WORKING_UM` per pixel."""
    factor = um_per_pixel / WORKING_UM
    height, width = rgb.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    working = np.asarray(cv2.resize(rgb, size, interpolation=way), dtype=np.uint8)
    return separate(working, vectors, glass)


def _spread(values: npt.NDArray[np.float32]) -> Spread | None:
    if not len(values):
        return None
    lower, median, upper = (float(q) for q in np.percentile(values, [25, 50, 75]))
    return Spread(lower, median, upper, float(values.mean()))
