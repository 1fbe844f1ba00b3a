"""HiResCAM (Draelos & Carin, 2020, arXiv:2011.08891): gradient times activation, place by place.

Grad-CAM averages the gradient over the map first and so may show places that the score does not
depend on. Here every place keeps its own gradient: what is red did raise the score. Where the head
begins with a global average (DenseNet121) the gradient is the same everywhere and both agree.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def hires_cam(features: Floats, gradient: Floats) -> Floats:
    """The map of n patches: features and gradient float32 (n, h, w, c) to signed (n, h, w)."""
    product = np.einsum("nhwc,nhwc->nhw", features, gradient)
    return np.asarray(product, dtype=np.float32)
