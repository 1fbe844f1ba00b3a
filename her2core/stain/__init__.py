"""Stain measurement without any network: the third reader.

density.py says how brown a patch is; the rest looks for cells and says how completely and how
strongly each membrane is stained, which the ASCO/CAP rule turns into a score.
"""

from her2core.stain.density import StainReport, measure, separate
from her2core.stain.vectors import DAB, HAEMATOXYLIN, StainVectors, estimate_vectors

__all__ = [
    "DAB",
    "HAEMATOXYLIN",
    "StainReport",
    "StainVectors",
    "estimate_vectors",
    "measure",
    "separate",
]
