"""Grad-CAM (Selvaraju et al., ICCV 2017): channels weighted by their mean gradient."""

import numpy as np

from her2core.xai.methods.method import Floats, MapMethod, ScoreGradient


def grad_cam(features: Floats, gradient: ScoreGradient) -> Floats:
    """The map of n patches, signed: features float32 (n, h, w, c) to (n, h, w)."""
    return np.asarray(np.einsum("nhwc,nc->nhw", features, gradient.mean), dtype=np.float32)


GRAD_CAM = MapMethod(
    name="grad_cam",
    title="Grad-CAM",
    about="regions, channels weighted over the whole map",
    reading="raised the network's score for {score}",
    from_features=grad_cam,
    recorded=True,
)
