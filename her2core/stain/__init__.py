"""Stain measurement without any network: the third reader.

`measure` says how brown a patch is. `measure_membranes` looks for cells, traces the rim of each
(nuclei.py, hidden.py, rims.py), tells membrane from other brown (membranes.py, belief.py) and
tumour from other cells (tumour.py), says how completely and how densely each rim is stained
(cells.py) and applies the ASCO/CAP rule to the shares (rule.py); its
report can be drawn (drawing.py), and what is kept of it is a reading (reading.py).
"""

from her2core.common.optics import DAB, HAEMATOXYLIN
from her2core.stain.cells import Pattern
from her2core.stain.density import StainReport, measure, separate
from her2core.stain.drawing import cells_svg, legend
from her2core.stain.reading import StainReading, method_id, pooled_score, reading_of
from her2core.stain.report import MembraneReport, Spread, measure_membranes
from her2core.stain.rule import is_ultralow, score_of
from her2core.stain.thresholds import StainThresholds
from her2core.stain.vectors import StainVectors, estimate_vectors

__all__ = [
    "DAB",
    "HAEMATOXYLIN",
    "MembraneReport",
    "Pattern",
    "Spread",
    "StainReading",
    "StainReport",
    "StainThresholds",
    "StainVectors",
    "cells_svg",
    "estimate_vectors",
    "is_ultralow",
    "legend",
    "measure",
    "measure_membranes",
    "method_id",
    "pooled_score",
    "reading_of",
    "score_of",
    "separate",
]
