"""The curves of a report: ROC, precision-recall, reliability, and accuracy against coverage.

Points are thinned for drawing; areas and intervals are computed from all patches (figures.py).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_curve, roc_curve

from her2core.evaluation.calibration import CALIBRATION_BINS, bin_numbers
from her2core.evaluation.figures import Bools, Sample
from her2core.evaluation.intervals import Floats, Interval, interval_of, resample
from her2core.scores import CLASS_KEYS

MAX_POINTS = 120
COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


@dataclass(frozen=True)
class Curve:
    """Points of a curve for one class against the rest; empty where it is not defined.

    ROC: x is the false positive rate, y the true positive rate. Precision-recall: x is the recall,
    y the precision.
    """

    of: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class ReliabilityBin:
    """Patches whose confidence lies in [low, high): how confident and how right they are."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class CoveragePoint:
    """What happens when the least certain patches are left to the pathologist.

    Attributes:
        coverage: share of the patches the model keeps, in (0, 1].
        confidence: the lowest confidence among those kept.
        accuracy: among those kept.
    """

    coverage: float
    confidence: float
    accuracy: Interval


def roc_curves(sample: Sample) -> tuple[Curve, ...]:
    """One ROC curve for each class against the rest."""
    return _curves(sample, lambda positive, scores: roc_curve(positive, scores)[:2])


def pr_curves(sample: Sample) -> tuple[Curve, ...]:
    """One precision-recall curve for each class against the rest."""

    def points(positive: Bools, scores: Floats) -> tuple[Floats, Floats]:
        precision, recall, _ = precision_recall_curve(positive, scores, drop_intermediate=True)
        return recall[::-1], precision[::-1]

    return _curves(sample, points)


def reliability(probabilities: Floats, labels: npt.NDArray[np.int64]) -> tuple[ReliabilityBin, ...]:
    """Confidence against accuracy in equal-width bins; empty bins are left out."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    which = bin_numbers(confidence)
    return tuple(
        ReliabilityBin(
            low=b / CALIBRATION_BINS,
            high=(b + 1) / CALIBRATION_BINS,
            n=int((which == b).sum()),
            confidence=float(confidence[which == b].mean()),
            accuracy=float(right[which == b].mean()),
        )
        for b in np.unique(which).tolist()
    )


def coverage_curve(sample: Sample, blocks: Iterable[Floats]) -> tuple[CoveragePoint, ...]:
    """Accuracy of the most certain 100 %, 95 %, 90 %, ... 10 % of the patches.

    Args:
        sample: what the reader predicted.
        blocks: resampling weights as `weight_blocks` gives them.
    """
    confidence = sample.probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (sample.predicted == sample.labels)[order].astype(float)
    own = _accuracy_at(right, np.ones((1, len(right))))[0]
    resampled = resample(lambda weights: _accuracy_at(right, weights[:, order]), blocks)
    points = []
    for i, coverage in enumerate(COVERAGES):
        kept = max(1, int(np.ceil(round(coverage * len(right), 9))))
        groups = len(np.unique(sample.codes[order[:kept]]))
        accuracy = interval_of(float(own[i]), resampled[:, i], kept, groups, share=True)
        points.append(CoveragePoint(coverage, float(confidence[order[kept - 1]]), accuracy))
    return tuple(points)


def _accuracy_at(right: Floats, weights: Floats) -> Floats:
    """(b, coverages): accuracy of each resample's most certain part; patches are in order."""
    total = np.cumsum(weights, axis=1)
    hits = np.cumsum(weights * right, axis=1)
    columns = []
    for coverage in COVERAGES:
        enough = total >= coverage * total[:, -1:] - 1e-9
        last = enough.argmax(axis=1)
        rows = np.arange(len(total))
        columns.append(hits[rows, last] / total[rows, last])
    return np.stack(columns, axis=1)


def _curves(
    sample: Sample, points: Callable[[Bools, Floats], tuple[Floats, Floats]]
) -> tuple[Curve, ...]:
    """For each class the points of its patches against the rest, both ends among those kept."""
    curves = []
    for k, key in enumerate(CLASS_KEYS):
        positive = sample.labels == k
        x = y = np.empty(0)
        if positive.any() and not positive.all():
            x, y = points(positive, sample.probabilities[:, k])
        kept = np.linspace(0, len(x) - 1, min(len(x), MAX_POINTS)).round().astype(np.int64)
        kept = np.unique(kept)
        curves.append(Curve(key, _rounded(x[kept]), _rounded(y[kept])))
    return tuple(curves)


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)
