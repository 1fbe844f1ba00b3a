"""What an explanation method returns. Free of tensorflow, so that pages may import it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.preprocessing.patches import Square
from her2core.scores import HER2Score
from her2core.xai.methods import METHODS

Method = str  # the name of one of METHODS


@dataclass(frozen=True)
class Explanation:
    """A heat map over the model's 224 x 224 input.

    Attributes:
        method: how it was made.
        model_id: the model explained.
        target: the class whose probability (SHAP) or logit (all others) is explained.
        heat: float32 array of shape (224, 224), in [0, 1], or in [-1, 1] where `signed`.
        scale: what 1.0 in `heat` stands for in the method's own unit.
        reading: one sentence on what this map shows and what it cannot show.
        completeness_gap: SHAP only: sum of attributions minus (f(x) - E[f]), in probability.
        samples: SHAP only: number of samples drawn.
        against: for a contrast, the other class: the score of `target` minus its own is explained.
        part: where a large square is read in parts, the one that the map is of, whose reading is
            the verdict (models.reading_grid); None: the whole square.
    """

    method: Method
    model_id: str
    target: HER2Score
    heat: npt.NDArray[np.float32]
    scale: float
    reading: str
    completeness_gap: float | None = None
    samples: int | None = None
    against: HER2Score | None = None
    part: Square | None = None

    @property
    def signed(self) -> bool:
        """Whether negative heat says what speaks against the class, or for the other one."""
        return is_signed(self.method, self.against)


def is_signed(method: Method, against: HER2Score | None = None) -> bool:
    """Whether maps of this kind have values below zero."""
    return METHODS[method].signed or against is not None
