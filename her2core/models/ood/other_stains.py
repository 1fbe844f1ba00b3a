"""Other stains than HER2 in DAB, told by example: the chance that an input is one of them.

A distance to what is known does not say which way an input may differ. A red chromogen on a weakly
stained patch, or brown nuclei, differ little in most ways and clearly in one; so a logistic
regression is shown patches of other stains (outlier exposure, Hendrycks et al., ICLR 2019). It
reads the whitened coordinates in which the distances are measured.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# Below it an input is more likely known than not, whatever a few held-out patches say.
LEAST_THRESHOLD, _MOST_THRESHOLD = 0.5, 0.98
_STRENGTH = 0.05


@dataclass(frozen=True, eq=False)
class OtherStains:
    """A logistic regression.

    Attributes:
        weights: float32 (d,), of the coordinates.
        bias: added to them.
        threshold: chance in (0, 1) above which an input is called unfamiliar.
    """

    weights: Floats
    bias: float
    threshold: float = LEAST_THRESHOLD

    def chance(self, coordinates: Floats) -> Floats:
        """Chance (n,) in [0, 1] that inputs are of another stain, from coordinates (n, d)."""
        logits = coordinates.astype(np.float64) @ self.weights + self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), dtype=np.float32)


def fit_other_stains(known: Floats, other: Floats) -> OtherStains:
    """Learn to tell other stains (m, d) from known patches (n, d), both weighing the same."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=3000)
    model.fit(np.concatenate([known, other]), np.repeat([0, 1], [len(known), len(other)]))
    return OtherStains(model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def clipped_threshold(chance: float) -> float:
    """A threshold that held-out patches ask for, within what makes sense."""
    return float(np.clip(chance, LEAST_THRESHOLD, _MOST_THRESHOLD))
