"""Class-activation maps of one network, and the contrast of two classes.

All come from the last feature map and the gradient of a score by it, which is a product of the
small head's weights alone: no pass through the network, forwards or back. The score may be the
difference of two logits; its map then answers "why this class and not that one?".
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from her2core.models.head import Head
from her2core.scores import HER2Score
from her2core.xai.explanation import Explanation, Method, is_signed
from her2core.xai.heat import enlarged, scaled
from her2core.xai.methods import METHODS
from her2core.xai.methods.method import ScoreGradient
from her2core.xai.readings import class_activation_reading

Floats = npt.NDArray[np.float32]


class ClassActivation:
    """Maps of one model by any class-activation method. Safe to use from several threads."""

    def __init__(self, model_id: str, head: Head) -> None:
        """For the feature maps of this model, whose last layers are `head`."""
        self._model_id = model_id
        self._head = head
        self._grid = head.feature_shape[:2]

    def __call__(
        self,
        features: Floats,
        target: HER2Score,
        hidden: Floats | None = None,
        method: Method = "grad_cam",
        against: HER2Score | None = None,
    ) -> Explanation:
        """Explain one patch.

        Args:
            features: float32 (h, w, c) or (1, h, w, c), as a reader returns them.
            target: the class whose logit is explained.
            hidden: the hidden activations (units,) belonging to them, as a reader returns them;
                computed again where not given.
            method: as in `batch`.
            against: as in `batch`.
        """
        maps = features.reshape(1, *features.shape[-3:])
        units = None if hidden is None else hidden.reshape(1, -1)
        return self.batch(maps, [target], units, method, against)[0]

    def batch(
        self,
        features: Floats,
        targets: Sequence[HER2Score],
        hidden: Floats | None = None,
        method: Method = "grad_cam",
        against: HER2Score | None = None,
    ) -> list[Explanation]:
        """Explain n patches at once; one patch for all classes is the same patch n times.

        Args:
            features: float32 (n, h, w, c).
            targets: the class of each whose logit is explained.
            hidden: float32 (n, units), or None to have them computed again.
            method: one of CLASS_ACTIVATION.
            against: explain the logit minus that of this class. The heat is then signed: positive
                where the patch speaks for the target rather than for this class.

        Returns:
            One explanation each; `scale` is the class-activation value that 1.0 stands for, 0
            where the map is empty.

        Raises:
            ValueError: the method is none of these, has no contrast, or a target is contrasted with
                itself.
        """
        from_features = METHODS[method].from_features
        if from_features is None:
            raise ValueError(f"{method} is no class-activation method.")
        if against is not None and (not METHODS[method].contrasts or against in targets):
            raise ValueError(f"{method} gives no contrast of {targets} with {against!r}.")
        direction = np.eye(4, dtype=np.float32)[[int(target) for target in targets]]
        if against is not None:
            direction[:, int(against)] = -1
        units = self._head.hidden(features) if hidden is None else hidden
        maps = from_features(features, ScoreGradient(self._head, units, direction))
        if not is_signed(method, against):
            maps = np.maximum(maps, 0)
        heats, scales = scaled(enlarged(maps))
        return [
            Explanation(
                method=method,
                model_id=self._model_id,
                target=target,
                heat=heat,
                scale=float(scale),
                reading=class_activation_reading(
                    method, target, self._grid, empty=not scale > 0, against=against
                ),
                against=against,
            )
            for target, heat, scale in zip(targets, heats, scales, strict=True)
        ]
