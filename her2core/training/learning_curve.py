"""How right a fitted bundle would be with fewer patches: whether more reviews are worth making."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from her2core.evaluation.figures import Sample, measure
from her2core.evaluation.intervals import Interval, weight_blocks
from her2core.models.adapt import Ints, LabelledFeatures, SoftmaxLayer, adapt_head
from her2core.models.conformal import prediction_sets
from her2core.models.temperature import Temperature, probabilities

# of the groups that may be learnt from
SHARES = (0.25, 0.5, 1.0)
_SEED, _N_BOOT = 0, 1000


@dataclass(frozen=True)
class CurvePoint:
    """How often scores are right after learning from so many patches.

    Attributes:
        patches: learnt from, the mean over the folds.
        exact: on groups left out, with its interval.
    """

    patches: float
    exact: Interval


def curve_point(patches: float, sample: Sample) -> CurvePoint:
    """The point of what was read by what learnt from so many patches."""
    figures = measure(sample, weight_blocks(sample.codes, _N_BOOT, _SEED))
    return CurvePoint(patches, next(one.value for one in figures if one.name == "accuracy"))


def read_held_out(
    old: SoftmaxLayer,
    temperature: Temperature,
    features: LabelledFeatures,
    folds: Sequence[Ints],
    codes: Ints,
    pulls: Sequence[float],
    step: Callable[[], None],
    share: float,
) -> tuple[float, Sample]:
    """Every patch read by what was fitted without its fold, to a share of the other groups.

    Args:
        old: the layer as it is.
        temperature: as it is.
        features: of the labelled patches.
        folds: numbers of the patches left out in turn.
        codes: int (n,), number of each patch's group.
        pulls: see `adapt_head`.
        step: called before each part of a fit; may raise to stop.
        share: of the groups that each fold may learn from, in (0, 1].

    Returns:
        How many patches were learnt from, the mean over the folds; and the readings.
    """
    chances = np.empty((len(features), 4))
    members = np.zeros((len(features), 4), bool)
    sizes = []
    for fold in folds:
        learnt = _some_groups(np.setdiff1d(np.arange(len(features)), fold), codes, share)
        sizes.append(len(learnt))
        head = adapt_head(old, temperature, features.of(learnt), pulls, step)
        logits = features.of(fold).logits(head.layer, temperature)
        chances[fold] = probabilities(logits, head.temperature)
        members[fold] = prediction_sets(chances[fold], head.sets)
    return float(np.mean(sizes)), Sample(features.labels, chances, None, codes, members)


def _some_groups(patches: Ints, codes: Ints, share: float) -> Ints:
    """Of the patches those of a share of their groups, at least two groups."""
    groups = np.random.default_rng(_SEED).permutation(np.unique(codes[patches]))
    kept = groups[: max(2, round(share * len(groups)))]
    return patches[np.isin(codes[patches], kept)]
