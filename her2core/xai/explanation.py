"""What an explanation method returns. Free of tensorflow, so that pages may import it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from her2core.scores import HER2Score

Method = Literal["grad_cam", "shap"]


@dataclass(frozen=True)
class Explanation:
    """A heat map over the model's 224 x 224 input.

    Attributes:
        method: "grad_cam" (values in [0, 1]) or "shap" (signed values scaled into [-1, 1]).
        model_id: the model explained.
        target: the class whose probability (SHAP) or logit (Grad-CAM) is explained.
        heat: float32 array of shape (224, 224).
        scale: what 1.0 in `heat` stands for in the method's own unit.
        completeness_gap: SHAP only: sum of attributions minus (f(x) - E[f]), in probability.
        samples: SHAP only: number of samples drawn.
        reading: one sentence on what this map shows and what it cannot show.
    """

    method: Method
    model_id: str
    target: HER2Score
    heat: npt.NDArray[np.float32]
    scale: float
    reading: str
    completeness_gap: float | None = None
    samples: int | None = None
