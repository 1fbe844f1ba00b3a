"""Grad-CAM++ (Chattopadhay et al., WACV 2018): channels weighted by where they help.

Grad-CAM averages a channel's gradient over the whole map, so that what speaks against the class in
one corner cancels what speaks for it in another. Grad-CAM++ adds up only where the gradient is
positive, each place weighted so that several separate objects count alike.
"""

import numpy as np

from her2core.xai.methods.method import Floats, MapMethod, ScoreGradient


def grad_cam_plus_plus(features: Floats, gradient: ScoreGradient) -> Floats:
    """The map of n patches: features float32 (n, h, w, c) to (n, h, w), >= 0.

    As in the paper the score goes through an exponential. Behind ReLU layers the second and third
    derivatives are then the square and cube of the first, g, and the weight of a place,
    g² / (2 g² + sum of A g³), is 1 / (2 + sum of A g). The exponential itself is one factor of the
    whole map, which scaling takes out again.
    """
    positive = np.maximum(gradient.by_place, 0)
    alpha = 1 / (2 + features.sum(axis=(1, 2), keepdims=True) * positive)
    weights = np.einsum("nhwc,nhwc->nc", alpha, positive)
    cam = np.einsum("nhwc,nc->nhw", features, weights)
    return np.asarray(np.maximum(cam, 0), dtype=np.float32)


GRAD_CAM_PLUS_PLUS = MapMethod(
    name="grad_cam_plus_plus",
    title="Grad-CAM++",
    about="the same for several separate regions",
    reading="hold what raised the network's score for {score}",
    from_features=grad_cam_plus_plus,
    contrasts=False,  # it weighs only what speaks for a class
)
