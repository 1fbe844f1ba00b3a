"""HiResCAM (Draelos & Carin, 2020, arXiv:2011.08891): gradient times activation, place by place.

Grad-CAM averages the gradient over the map first and so may show places that the score does not
depend on. Here every place keeps its own gradient: what is red did raise the score. Where the head
begins with a global average (DenseNet121) the gradient is the same everywhere and both agree.
"""

import numpy as np

from her2core.xai.methods.method import Floats, MapMethod, ScoreGradient


def hires_cam(features: Floats, gradient: ScoreGradient) -> Floats:
    """The map of n patches, signed: features float32 (n, h, w, c) to (n, h, w)."""
    product = np.einsum("nhwc,nhwc->nhw", features, gradient.by_place)
    return np.asarray(product, dtype=np.float32)


HIRES_CAM = MapMethod(
    name="hires_cam",
    title="HiResCAM",
    about="each place by what it added itself",
    reading="raised, each by itself, the network's score for {score}",
    from_features=hires_cam,
)
