"""Grad-CAM (Selvaraju et al., ICCV 2017) from the last feature map, without a second pass.

Grad-CAM weighs the channels of the last feature map by the gradient of a logit averaged over the
map. In heads like ours that average is a small product (`head_gradient`), and what the verdict's
pass has left, features and hidden activations, is enough: no framework takes part, and a map costs
a few per cent of a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from her2core.scores import HER2Score
from her2core.xai.explanation import Explanation
from her2core.xai.head_gradient import Head
from her2core.xai.readings import grad_cam_reading

Floats = npt.NDArray[np.float32]
_SIDE = 224


class GradCam:
    """Grad-CAM for one model. Safe to use from several threads."""

    def __init__(self, model_id: str, head: Head) -> None:
        """For the feature maps of this model, whose last layers are `head`."""
        self._model_id = model_id
        self._head = head
        self._grid = head.feature_shape[:2]

    def __call__(
        self, features: Floats, target: HER2Score, hidden: Floats | None = None
    ) -> Explanation:
        """Explain one patch.

        Args:
            features: float32 (h, w, c) or (1, h, w, c), as a reader returns them.
            target: the class whose logit is explained.
            hidden: the hidden activations (units,) belonging to them, as a reader returns them;
                computed again where not given.

        Returns:
            Heat in [0, 1]; `scale` is the class-activation value that 1.0 stands for, 0 where
            nothing speaks for the class and the map is empty.
        """
        batch = features.reshape(1, *features.shape[-3:])
        return self.batch(batch, [target], None if hidden is None else hidden.reshape(1, -1))[0]

    def batch(
        self, features: Floats, targets: Sequence[HER2Score], hidden: Floats | None = None
    ) -> list[Explanation]:
        """Explain n patches at once: features (n, h, w, c), one target each, hidden (n, units)."""
        units = self._head.hidden(features) if hidden is None else hidden
        one_hot = np.eye(4, dtype=np.float32)[[int(target) for target in targets]]
        weights = self._head.mean_gradient(units, one_hot)
        cams = np.maximum(np.einsum("nhwc,nc->nhw", features, weights, optimize=True), 0)
        return [self._explanation(cam, target) for cam, target in zip(cams, targets, strict=True)]

    def _explanation(self, cam: Floats, target: HER2Score) -> Explanation:
        large = np.asarray(
            cv2.resize(cam, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR), np.float32
        )
        highest = float(large.max())
        empty = not highest > 0
        return Explanation(
            method="grad_cam",
            model_id=self._model_id,
            target=target,
            heat=np.zeros_like(large) if empty else large / np.float32(highest),
            scale=0.0 if empty else highest,
            reading=grad_cam_reading(target, self._grid, empty=empty),
        )
