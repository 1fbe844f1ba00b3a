"""LayerCAM (Jiang et al., IEEE TIP 30, 2021, pp. 5875-5888): each place by its own gain.

Every place of every channel is weighted by its own gradient where that is positive; what speaks
against the class takes nothing away from what speaks for it beside it.
"""

import numpy as np

from her2core.xai.methods.method import Floats, MapMethod, ScoreGradient


def layer_cam(features: Floats, gradient: ScoreGradient) -> Floats:
    """The map of n patches: features float32 (n, h, w, c) to (n, h, w), >= 0."""
    positive = np.maximum(gradient.by_place, 0)
    return np.asarray(np.einsum("nhwc,nhwc->nhw", features, positive), dtype=np.float32)


LAYER_CAM = MapMethod(
    name="layer_cam",
    title="LayerCAM",
    about="each place by what speaks for the class alone",
    reading="hold what, place by place, raised the network's score for {score}",
    from_features=layer_cam,
    contrasts=False,  # it weighs only what speaks for a class
)
