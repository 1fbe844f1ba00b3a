"""The square regions that are read of a slide, and the cores of a tissue microarray they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import cv2
import numpy as np
import numpy.typing as npt

from her2core.slides.tissue import Mask

LEAST_TISSUE = 0.3
# of cores in use: 0.6 to 2 mm across; closing joins what has come apart within one
_CORE_UM, _JOINED_UM = (400.0, 3000.0), 120.0
_LEAST_CORES = 4
_CORES_SHARE, _LEAST_ROUND, _MOST_UNLIKE = 0.7, 0.45, 2.5


@dataclass(frozen=True)
class Region:
    """A square of a slide, in pixels of the full resolution.

    Attributes:
        x, y: upper left corner.
        size: side.
        core: of a tissue microarray, row and column as "B3"; empty elsewhere.
        tissue: share of it that is tissue, [0, 1].
    """

    x: int
    y: int
    size: int
    core: str
    tissue: float


@dataclass(frozen=True)
class Core:
    """A core of a microarray: its name, and its box (x, y, width, height) in the overview."""

    name: str
    box: tuple[int, int, int, int]


def find_cores(mask: Mask, um_per_pixel: float) -> tuple[Core, ...]:
    """The cores of a tissue microarray, row by row; empty where the slide is none.

    Cores are round pieces of like size that hold most of the tissue. Rows are lettered, columns
    numbered, by clusters of the centres, so that a core that has fallen off leaves its place empty.
    """
    size = max(3, round(_JOINED_UM / um_per_pixel) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    joined = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    found = cv2.connectedComponentsWithStats(joined)
    stats, centres = found[2][1:], found[3][1:]  # the first is what lies between the pieces
    if len(stats) < _LEAST_CORES:
        return ()
    sides = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]] * um_per_pixel
    areas = stats[:, cv2.CC_STAT_AREA].astype(float)
    filled = areas / (stats[:, cv2.CC_STAT_WIDTH] * stats[:, cv2.CC_STAT_HEIGHT])
    fits = (sides.max(axis=1) < _CORE_UM[1]) & (sides.min(axis=1) > _CORE_UM[0])
    fits &= (sides.min(axis=1) / sides.max(axis=1) > _LEAST_ROUND) & (filled > _LEAST_ROUND)
    if fits.sum() < _LEAST_CORES:
        return ()
    usual = np.median(areas[fits])
    fits &= (areas < usual * _MOST_UNLIKE) & (areas > usual / _MOST_UNLIKE)
    if fits.sum() < _LEAST_CORES or areas[fits].sum() < _CORES_SHARE * areas.sum():
        return ()
    across = float(np.median(sides[fits]) / um_per_pixel)
    rows = _clusters(centres[fits, 1], across / 2)
    columns = _clusters(centres[fits, 0], across / 2)
    cores = [
        (row, column, _box(box))
        for row, column, box in zip(rows, columns, stats[fits], strict=True)
    ]
    return tuple(Core(f"{_letters(row)}{column + 1}", box) for row, column, box in sorted(cores))


def grid(
    mask: Mask, reduction: float, side: int, cores: Sequence[Core], size: tuple[int, int]
) -> tuple[Region, ...]:
    """Squares over the tissue, those with enough of it, core by core and row by row.

    Args:
        mask: tissue of the overview.
        reduction: pixels of the full resolution for one of the overview.
        side: of a square, full-resolution pixels.
        cores: of a microarray; without any the grid covers all tissue.
        size: width and height of the slide; no square leaves it.
    """
    boxes = [(core.name, core.box) for core in cores] or [("", _bounds(mask))]
    return tuple(
        region for name, box in boxes for region in _squares(mask, reduction, side, name, box, size)
    )


def _squares(
    mask: Mask,
    reduction: float,
    side: int,
    core: str,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
) -> list[Region]:
    left, top, width, height = (round(value * reduction) for value in box)
    columns = max(1, min(-(-width // side), size[0] // side))
    rows = max(1, min(-(-height // side), size[1] // side))
    # centred on the tissue, and inside of the slide
    left = max(0, min(left - (columns * side - width) // 2, size[0] - columns * side))
    top = max(0, min(top - (rows * side - height) // 2, size[1] - rows * side))
    regions = []
    for y in range(top, top + rows * side, side):
        for x in range(left, left + columns * side, side):
            part = mask[
                int(y / reduction) : max(int(y / reduction) + 1, int((y + side) / reduction)),
                int(x / reduction) : max(int(x / reduction) + 1, int((x + side) / reduction)),
            ]
            share = float(part.sum()) / max(1.0, (side / reduction) ** 2)
            if share >= LEAST_TISSUE and x + side <= size[0] and y + side <= size[1]:
                regions.append(Region(x, y, side, core, round(min(1.0, share), 3)))
    return regions


def _bounds(mask: Mask) -> tuple[int, int, int, int]:
    if not mask.any():
        return (0, 0, 0, 0)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    width, height = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    return int(columns[0]), int(rows[0]), int(width), int(height)


def _box(stats: npt.NDArray[np.int32]) -> tuple[int, int, int, int]:
    x, y, width, height = (int(value) for value in stats[:4])
    return x, y, width, height


def _clusters(values: npt.NDArray[np.float64], gap: float) -> list[int]:
    """The number of each value's cluster: a new one begins where sorted values leave a gap."""
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order]) > gap
    numbers = np.empty(len(values), int)
    numbers[order] = np.concatenate([[0], np.cumsum(steps)])
    return [int(number) for number in numbers]


def _letters(number: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, len(ascii_uppercase))
        letters = ascii_uppercase[rest] + letters
    return letters
