"""Draw what was measured on the image itself, in colours that colour-blind eyes tell apart."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.palette import CELLS, EDGE, NOT_COUNTED, Colour
from her2core.stain.cells import Pattern
from her2core.stain.report import MembraneReport

_SHIFT = 4


def draw_cells(rgb: npt.NDArray[np.uint8], report: MembraneReport) -> npt.NDArray[np.uint8]:
    """Outline every cell in the colour of its pattern; cells that do not count are thin and grey.

    Args:
        rgb: uint8 (H, W, 3), the image that was measured.
        report: its report.

    Returns:
        A new uint8 (H, W, 3).
    """
    outlined = np.ascontiguousarray(rgb).copy()
    width = max(1, round(0.5 / report.um_per_pixel))
    points = np.round(report.cells.outlines * (1 << _SHIFT)).astype(np.int32)
    order = np.argsort(report.cells.pattern, kind="stable")
    for index in order:
        outline = [points[index]]
        if not report.cells.tumour_like[index]:
            cv2.polylines(outlined, outline, True, NOT_COUNTED, 1, cv2.LINE_AA, _SHIFT)
            continue
        colour = CELLS[report.cells.pattern[index]]
        # a dark edge keeps the colour apart from whatever lies under it
        cv2.polylines(outlined, outline, True, EDGE, width + 2, cv2.LINE_AA, _SHIFT)
        cv2.polylines(outlined, outline, True, colour, width, cv2.LINE_AA, _SHIFT)
    return outlined


def legend() -> list[tuple[str, str]]:
    """Rows (colour as "#rrggbb", what it means), strongest staining first."""
    rows = [(_hex(CELLS[pattern]), pattern.label) for pattern in reversed(Pattern)]
    return [*rows, (_hex(NOT_COUNTED), "not counted: looks like stroma or debris")]


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
