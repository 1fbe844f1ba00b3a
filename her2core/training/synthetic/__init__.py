"""A seeded generator of synthetic HER2 IHC patches with known truth.

Tissue is laid out in micrometres (tissue.py), tumour cells with nuclei and membranes are drawn into
haematoxylin and DAB densities (cells.py), ASCO/CAP class decides which cells stain and how
(staining.py), and a scanner or microscope camera turns densities into pixels (optics.py).
"""

from her2core.training.synthetic.patch import GeneratorConfig, SyntheticPatch, make_patch
from her2core.training.synthetic.staining import StainTruth

__all__ = ["GeneratorConfig", "StainTruth", "SyntheticPatch", "make_patch"]
