"""Prediction sets that hold the true score with a promised probability, class by class.

Split conformal prediction, class-conditional ("Mondrian"): Vovk, Gammerman and Shafer, "Algorithmic
Learning in a Random World", 2005, ch. 4; Angelopoulos and Bates, "A Gentle Introduction to
Conformal Prediction and Distribution-Free Uncertainty Quantification", arXiv 2107.07511, 2021,
sec. 4.2. A patch's nonconformity to a class is 1 minus that class's probability. Each class gets
its own threshold, so that a rare 3+ is covered as often as a frequent 0.

The promise holds for patches drawn like those of the calibration set. The temperature is fitted on
the same set and a new laboratory stains otherwise, so coverage is measured anew on held-out data
and shown with every set.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.scores import HER2Score

ALPHA = 0.10
# Names of the figures in cards and reports.
COVERAGE, SET_SIZE = "prediction set coverage", "mean prediction set size"


@dataclass(frozen=True)
class ConformalSets:
    """What turns probabilities into sets.

    Attributes:
        alpha: share of patches whose set may miss the true score, in (0, 1).
        thresholds: per class in clinical order, in [0, 1]: a class is in the set where 1 minus its
            probability is not above. 1 where too few patches of the class were there to leave it
            out of any set; of a class without any, nothing is known, and it is in none by itself.
        n: per class, number of calibration patches.
        calibration_set: what it was calibrated on, for people.
    """

    alpha: float
    thresholds: tuple[float, float, float, float]
    n: tuple[int, int, int, int]
    calibration_set: str


def calibrate(
    probabilities: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    calibration_set: str,
    alpha: float = ALPHA,
) -> ConformalSets:
    """Thresholds such that a new patch of each class is covered with probability >= 1 - alpha.

    Args:
        probabilities: (n, 4), as shown to people; of patches the network was not trained on.
        labels: (n,), true classes 0 to 3.
        calibration_set: name of the set.
        alpha: in (0, 1).

    Returns:
        Per class the ceil((n + 1)(1 - alpha))-th smallest nonconformity of its n patches, and 1
        where n is too small for that rank.

    Raises:
        ValueError: shapes do not fit, or alpha is not in (0, 1).
    """
    if probabilities.shape != (len(labels), 4):
        raise ValueError("Calibration needs four probabilities and one label for each patch.")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}.")
    thresholds = [
        _threshold(np.sort(1.0 - probabilities[labels == k, k]), alpha)
        for k in range(len(HER2Score))
    ]
    zero, one, two, three = (int((labels == k).sum()) for k in range(len(HER2Score)))
    return ConformalSets(
        alpha,
        (thresholds[0], thresholds[1], thresholds[2], thresholds[3]),
        (zero, one, two, three),
        calibration_set,
    )


def prediction_set(probabilities: Sequence[float], sets: ConformalSets) -> tuple[HER2Score, ...]:
    """The scores a model cannot rule out for one patch, neighbouring and in clinical order.

    Two things are added to the plain conformal set, neither of which can lower its coverage: the
    most probable score (the verdict itself is never ruled out, and no set is empty), and scores
    between two members, because the scale is ordinal and "0 or 2+, but not 1+" is no finding.

    Args:
        probabilities: four, in clinical order.
        sets: the thresholds.
    """
    row = np.asarray([probabilities], dtype=np.float64)
    return tuple(HER2Score(int(k)) for k in np.flatnonzero(prediction_sets(row, sets)[0]))


def prediction_sets(
    probabilities: npt.NDArray[np.float64], sets: ConformalSets
) -> npt.NDArray[np.bool_]:
    """`prediction_set` of many patches: (n, 4) probabilities to (n, 4) memberships."""
    # A calibration patch on the very threshold must stay in, whatever float32 made of its value.
    member = (1.0 - probabilities) <= np.asarray(sets.thresholds) + 1e-6
    member &= np.asarray(sets.n) > 0
    member[np.arange(len(member)), probabilities.argmax(axis=1)] = True
    from_below = np.maximum.accumulate(member, axis=1)
    from_above = np.maximum.accumulate(member[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(from_below & from_above)


def uncalibrated(sets: ConformalSets) -> str | None:
    """E.g. "no 0 was calibrated", so that a set without it does not rule it out; None: all were."""
    absent = [score.label for score in HER2Score if not sets.n[score]]
    return f"no {' or '.join(absent)} was calibrated" if absent else None


def set_text(members: Sequence[HER2Score]) -> str:
    """A set in words: "1+", "1+ or 2+", "0, 1+ or 2+"."""
    labels = [score.label for score in members]
    return " or ".join(part for part in (", ".join(labels[:-1]), labels[-1]) if part)


def _threshold(ascending: npt.NDArray[np.float64], alpha: float) -> float:
    # Rounded before the ceiling: (9 + 1) * (1 - 0.1) must be 9, not 9.000000000000002.
    rank = math.ceil(round((len(ascending) + 1) * (1.0 - alpha), 9))
    return float(ascending[rank - 1]) if rank <= len(ascending) else 1.0
