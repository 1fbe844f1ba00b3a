"""Class-activation maps of one network, and the contrast of two classes.

All come from the last feature map and the gradient of a score by it, which is a product of the
small head's weights alone: no pass through the network, forwards or back. The score may be the
difference of two logits; its map then answers "why this class and not that one?".
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from her2core.models.head import Head
from her2core.preprocessing.patches import MODEL_SIDE
from her2core.scores import HER2Score
from her2core.xai.explanation import Explanation, Method, is_signed
from her2core.xai.methods import METHODS
from her2core.xai.methods.method import ScoreGradient
from her2core.xai.readings import class_activation_reading

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClassActivation:
    """Maps of one model by any class-activation method. Safe to use from several threads.

    Attributes:
        model_id: whose feature maps are explained.
        head: its last layers.
    """

    model_id: str
    head: Head

    def __call__(
        self,
        features: Floats,
        hidden: Floats,
        target: HER2Score,
        method: Method = "grad_cam",
        against: HER2Score | None = None,
    ) -> Explanation:
        """Explain one patch.

        Args:
            features: float32 (h, w, c) or (1, h, w, c), as a reader returns them.
            hidden: the hidden activations (units,) or (1, units) belonging to them.
            target: the class whose logit is explained.
            method: one of CLASS_ACTIVATION.
            against: explain the logit minus that of this class. The heat is then signed: positive
                where the patch speaks for the target rather than for this class.

        Returns:
            An explanation whose `scale` is the class-activation value that 1.0 stands for, 0 where
            the map is empty.

        Raises:
            ValueError: the method is none of these, has no contrast, or a target is contrasted with
                itself.
        """
        from_features = METHODS[method].from_features
        if from_features is None:
            raise ValueError(f"{method} is no class-activation method.")
        if against is not None and (not METHODS[method].contrasts or against == target):
            raise ValueError(f"{method} gives no contrast of {target!r} with {against!r}.")
        direction = np.zeros((1, 4), np.float32)
        direction[0, int(target)] = 1
        if against is not None:
            direction[0, int(against)] = -1
        gradient = ScoreGradient(self.head, hidden.reshape(1, -1), direction)
        small = from_features(features.reshape(1, *features.shape[-3:]), gradient)[0]
        if not is_signed(method, against):
            small = np.maximum(small, 0)
        heat = cv2.resize(small, (MODEL_SIDE, MODEL_SIDE), interpolation=cv2.INTER_LINEAR)
        scale = float(np.abs(heat).max())
        grid = self.head.feature_shape[:2]
        return Explanation(
            method=method,
            model_id=self.model_id,
            target=target,
            heat=np.asarray(heat / np.float32(scale or 1), np.float32),
            scale=scale,
            reading=class_activation_reading(method, target, grid, not scale > 0, against),
            against=against,
        )
