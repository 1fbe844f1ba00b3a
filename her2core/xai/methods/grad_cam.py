"""Grad-CAM (Selvaraju et al., ICCV 2017): channels weighted by their mean gradient."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def grad_cam(features: Floats, mean_gradient: Floats) -> Floats:
    """The map of n patches before its negative part is dropped.

    Args:
        features: float32 (n, h, w, c), the last feature map.
        mean_gradient: float32 (n, c), the gradient of a class score by it, averaged over places.

    Returns:
        float32 (n, h, w), signed.
    """
    return np.asarray(np.einsum("nhwc,nc->nhw", features, mean_gradient), dtype=np.float32)
