"""From rims to cells: how complete and how dense each membrane is, and which pattern that makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from her2core.stain.belief import masked_quantile, membrane_odds, signs_of
from her2core.stain.density import FloatImage
from her2core.stain.hidden import hidden_nuclei
from her2core.stain.membranes import membrane_lines
from her2core.stain.nuclei import find_nuclei
from her2core.stain.rims import DIRECTIONS, Rims, find_rims, in_image, joined
from her2core.stain.thresholds import StainThresholds
from her2core.stain.tumour import tumour_odds

Booleans = npt.NDArray[np.bool_]

_INTENSITY_QUANTILE = 0.7
_LEAST_RIM_INSIDE = 0.7


class Pattern(IntEnum):
    """The membrane staining of one cell, in rising order."""

    NONE = 0
    FAINT_INCOMPLETE = 1
    MODERATE_COMPLETE = 2
    INTENSE_COMPLETE = 3

    @property
    def label(self) -> str:
        """How the pattern is called on screen."""
        return _LABELS[self]


_LABELS = {
    Pattern.NONE: "none",
    Pattern.FAINT_INCOMPLETE: "faint or incomplete",
    Pattern.MODERATE_COMPLETE: "weak to moderate, complete",
    Pattern.INTENSE_COMPLETE: "intense, complete",
}


@dataclass(frozen=True, eq=False)
class MeasuredCells:
    """n cells that lie (almost) wholly in the image.

    Attributes:
        outlines: float32 (n, 32, 2), x and y in pixels of the image.
        completeness: float32 (n,), share of the rim that is stained membrane, [0, 1].
        intensity: float32 (n,), DAB optical density of the stained part, 0 where nothing is.
        pattern: int8 (n,), values of `Pattern`.
        tumour_like: boolean (n,): counts for the score.
    """

    outlines: FloatImage
    completeness: FloatImage
    intensity: FloatImage
    pattern: npt.NDArray[np.int8]
    tumour_like: Booleans

    def __len__(self) -> int:
        return len(self.outlines)

    def placed(self, scale: float, x: float = 0.0, y: float = 0.0) -> MeasuredCells:
        """The same cells with outlines scaled, then moved by (x, y)."""
        moved = self.outlines * np.float32(scale) + np.array([x, y], np.float32)
        return replace(self, outlines=moved)


NO_CELLS = MeasuredCells(
    np.zeros((0, DIRECTIONS, 2), np.float32),
    np.zeros(0, np.float32),
    np.zeros(0, np.float32),
    np.zeros(0, np.int8),
    np.zeros(0, np.bool_),
)


def pooled(parts: Sequence[MeasuredCells]) -> MeasuredCells:
    """All cells of several tiles or patches."""
    parts = [NO_CELLS, *parts]
    names = [each.name for each in fields(MeasuredCells)]
    return MeasuredCells(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names)
    )


def measure_cells(
    haematoxylin: FloatImage, dab: FloatImage, thresholds: StainThresholds
) -> MeasuredCells:
    """Find the cells of a picture at `nuclei.WORKING_UM` per pixel and measure their membranes.

    Args:
        haematoxylin, dab: float32 (H, W) optical densities.
        thresholds: what counts as membrane.
    """
    lines = membrane_lines(haematoxylin, dab)
    nuclei = find_nuclei(haematoxylin, dab, lines)
    rims = find_rims(nuclei, lines, dab)
    odds = tumour_odds(nuclei, rims)
    hidden = hidden_nuclei(
        haematoxylin, dab, lines > thresholds.clear_line, nuclei.labels, rims.outlines
    )
    visible = len(nuclei)
    rims = joined((rims, find_rims(hidden, lines, dab)))
    if not len(rims.outlines):
        return NO_CELLS
    inside = in_image(rims.outlines[..., 0], rims.outlines[..., 1], dab.shape)
    stained = _stained(rims, thresholds) & inside
    stained &= _believed(rims, stained, thresholds)[:, None]
    completeness = stained.sum(axis=1) / np.maximum(inside.sum(axis=1), 1)
    intensity = masked_quantile(rims.dab, stained, _INTENSITY_QUANTILE)
    pattern = classify(completeness, intensity, thresholds)
    # stroma cells do not express HER2: what is stained all the way round is a tumour cell
    tumour = completeness >= thresholds.complete
    tumour[:visible] |= odds >= thresholds.tumour_odds
    whole = inside.mean(axis=1) >= _LEAST_RIM_INSIDE
    # without a nucleus nothing but a complete ring says that there is a cell
    whole[visible:] &= completeness[visible:] >= thresholds.complete
    return MeasuredCells(
        rims.outlines[whole],
        completeness[whole].astype(np.float32),
        intensity[whole],
        pattern[whole],
        tumour[whole],
    )


def classify(
    completeness: npt.ArrayLike, intensity: npt.ArrayLike, thresholds: StainThresholds
) -> npt.NDArray[np.int8]:
    """`Pattern` values (n,) from completeness in [0, 1] and DAB optical density, both (n,).

    Complete but fainter than moderate, and dense but incomplete, both count as
    `FAINT_INCOMPLETE`: neither is what the guideline asks of 2+.
    """
    complete = np.asarray(completeness) >= thresholds.complete
    density = np.asarray(intensity)
    pattern = np.where(
        np.asarray(completeness) >= thresholds.stained_completeness,
        Pattern.FAINT_INCOMPLETE,
        Pattern.NONE,
    )
    pattern[complete & (density >= thresholds.moderate_density)] = Pattern.MODERATE_COMPLETE
    pattern[complete & (density >= thresholds.intense_density)] = Pattern.INTENSE_COMPLETE
    return pattern.astype(np.int8)


def _stained(rims: Rims, thresholds: StainThresholds) -> Booleans:
    """Which of the (n, 32) parts of the rims are membrane, with short gaps bridged.

    The path cuts the corners where membranes meet: a gap of one part is bridged, and one of up to
    four, an eighth of the rim, between clear lines.
    """
    least = np.maximum(thresholds.line_density, thresholds.line_share * rims.dab)
    stained = rims.line >= least
    clear = stained & (rims.line >= thresholds.clear_line)
    return np.asarray(_bridged(stained, 1) | _bridged(clear, 4))


def _bridged(parts: Booleans, longest: int) -> Booleans:
    """`parts` (n, 32) of closed rims with gaps of up to `longest` parts filled."""
    reach = range(1, longest + 1)
    filled = parts.copy()
    for back in reach:
        for ahead in range(1, longest + 2 - back):
            filled |= np.roll(parts, back, axis=1) & np.roll(parts, -ahead, axis=1)
    return filled


def _believed(rims: Rims, stained: Booleans, thresholds: StainThresholds) -> Booleans:
    """Boolean (n,): the stained parts are a membrane and no chance alignment of other brown.

    A clear line needs no proof, a faint one does (belief.py): above all it must fall off to either
    side, or it is the edge of a brown area.
    """
    candidate = stained.mean(axis=1) >= thresholds.stained_completeness
    signs = signs_of(rims, stained)
    falls_off = signs.brown - signs.beside >= thresholds.falls_off * signs.brown
    odds = membrane_odds(signs, rims.texture, candidate)
    believed = falls_off & (odds >= thresholds.membrane_odds)
    return np.asarray((signs.line >= thresholds.clear_line) | believed)
