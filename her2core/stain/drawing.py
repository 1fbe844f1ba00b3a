"""What was measured, drawn over the image, in colours that colour-blind eyes tell apart."""

from __future__ import annotations

import numpy as np

from her2core.common.palette import CELLS, NOT_COUNTED, css
from her2core.common.svg import Lines, outlines_svg
from her2core.stain.cells import Pattern
from her2core.stain.report import MembraneReport


def cells_svg(report: MembraneReport, width: int, height: int) -> str:
    """An SVG with every cell in the colour of its pattern; those that do not count thin and grey.

    Args:
        report: of an image.
        width: of that image, pixels.
        height: of that image, pixels.
    """
    cells = report.cells
    groups = [Lines(cells.outlines[~cells.tumour_like], NOT_COUNTED, 1, edged=False)]
    for pattern in Pattern:
        shown = cells.tumour_like & (cells.pattern == np.intp(pattern))
        groups.append(Lines(cells.outlines[shown], CELLS[pattern], 1.5))
    return outlines_svg(width, height, groups)


def legend() -> list[tuple[str, str]]:
    """Rows (colour as "#rrggbb", what it means), strongest staining first."""
    rows = [(css(CELLS[pattern]), pattern.label) for pattern in reversed(Pattern)]
    return [*rows, (css(NOT_COUNTED), "not counted: looks like stroma or debris")]
