"""A network's last layer fitted anew to a laboratory's own labelled patches: only numpy and scipy.

The features are those of the hidden layer and stay as they are; the softmax layer behind them is
drawn towards its old weights by a squared penalty, the pull, so that few patches cannot spoil it
(biased regularisation: Li, Grandvalet and Davoine, "Explicit Inductive Bias for Transfer
Learning", ICML 2018, with all other layers frozen). How strong the pull is, which may be so strong
that nothing changes, is chosen by cross-validation that leaves whole groups out. Temperature and
prediction sets come from the same left-out predictions, so that they do not flatter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from her2core.models.conformal import ConformalSets, calibrate
from her2core.models.reading_grid import strongest
from her2core.models.temperature import NEUTRAL, Temperature, fit_temperature, probabilities

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

KEEP = np.inf
# strong to weak, for features of mean squared length 1. Weaker ones look better to a few groups and
# are worse for others: tried on real fields, as they are and as others would have stained them
PULLS: tuple[float, ...] = (KEEP, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)
OUTER_FOLDS, INNER_FOLDS = 10, 5
_LEAST = 1e-300
CALIBRATION_SET = "own patches, whole groups left out"


@dataclass(frozen=True, eq=False)
class SoftmaxLayer:
    """The last layer: kernel float64 (units, 4), bias float64 (4,)."""

    kernel: Floats
    bias: Floats

    def logits(self, hidden: Floats) -> Floats:
        """Logits (n, 4) of hidden activations (n, units)."""
        return np.asarray(hidden @ self.kernel + self.bias, np.float64)


@dataclass(frozen=True, eq=False)
class LabelledFeatures:
    """What a network makes of labelled patches.

    Attributes:
        hidden: float64 (m, units), of every square that is read, patch by patch.
        firsts: int (n + 1,), row of each patch's first square, and m.
        labels: int (n,), 0 to 3.
        groups: (n,), what must not be torn apart: slide, case, parent field.
    """

    hidden: Floats
    firsts: Ints
    labels: Ints
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, layer: SoftmaxLayer, temperature: Temperature) -> Ints:
        """Row (n,) of the square that each patch's verdict is taken from (models.reading_grid)."""
        chances = probabilities(layer.logits(self.hidden), temperature)
        bounds = pairwise(self.firsts.tolist())
        return np.array([first + strongest(chances[first:end]) for first, end in bounds], np.int64)

    def logits(self, layer: SoftmaxLayer, temperature: Temperature) -> Floats:
        """The logits (n, 4) of each patch's verdict."""
        return layer.logits(self.hidden[self.rows(layer, temperature)])

    def of(self, patches: Ints) -> LabelledFeatures:
        """Some of the patches, by their numbers."""
        rows = [np.arange(self.firsts[n], self.firsts[n + 1]) for n in patches.tolist()]
        firsts = np.cumsum([0, *(len(each) for each in rows)])
        groups = tuple(self.groups[n] for n in patches.tolist())
        return LabelledFeatures(
            self.hidden[np.concatenate(rows)], firsts, self.labels[patches], groups
        )


@dataclass(frozen=True, eq=False)
class AdaptedHead:
    """What was fitted.

    Attributes:
        layer: the last layer; the old one where `pull` is KEEP.
        temperature: fitted on patches whose group the layer had not learnt from.
        sets: prediction sets, calibrated on the same.
        pull: strength that was chosen.
    """

    layer: SoftmaxLayer
    temperature: Temperature
    sets: ConformalSets
    pull: float


def adapt_head(
    old: SoftmaxLayer,
    temperature: Temperature,
    features: LabelledFeatures,
    pulls: Sequence[float] = PULLS,
    step: Callable[[], None] = lambda: None,
) -> AdaptedHead:
    """Fit layer, temperature and sets.

    Args:
        old: the layer as it is.
        temperature: as it is; decides only which square of a wide field is read.
        features: of labelled patches of at least two groups.
        pulls: to choose from, strong to weak; `(KEEP,)` fits temperature and sets alone.
        step: called before each cross-validation fold; may raise to stop.
    """
    left_out = np.empty((len(pulls), len(features), 4))
    judged = np.zeros(len(features), bool)
    for fold in group_folds(features.groups, features.labels, INNER_FOLDS):
        step()
        learnt = features.of(np.setdiff1d(np.arange(len(features)), fold))
        tested = features.of(fold)
        for number, layer in enumerate(fit_layers(old, temperature, learnt, pulls)):
            left_out[number, fold] = tested.logits(layer, temperature)
        # a class that the other groups lack cannot be learnt from them, so it judges no pull
        judged[fold] = np.isin(tested.labels, learnt.labels)
    judged |= not judged.any()
    losses = [_loss(logits[judged], features.labels[judged]) for logits in left_out]
    best = int(np.argmin(losses))
    # each group counts the same: a slide with many patches is still one slide
    fitted = fit_temperature(left_out[best], features.labels, features.groups)
    shown = probabilities(left_out[best], fitted)
    return AdaptedHead(
        fit_layers(old, temperature, features, pulls[: best + 1])[-1],
        fitted,
        calibrate(shown, features.labels, CALIBRATION_SET),
        pulls[best],
    )


def fit_layers(
    old: SoftmaxLayer, temperature: Temperature, features: LabelledFeatures, pulls: Sequence[float]
) -> list[SoftmaxLayer]:
    """For each pull the layer with the least cross-entropy, classes weighing alike, plus the pull.

    Args:
        old: where the pull draws to.
        temperature: of the old layer.
        features: what is learnt from.
        pulls: weights of half the squared change, for features of mean squared length 1.
    """
    from scipy.optimize import minimize  # slow to import, and only fitting needs it

    hidden, labels = features.hidden[features.rows(old, temperature)], features.labels
    scale = float(np.sqrt((hidden**2).sum(axis=1).mean())) or 1.0
    inputs = np.hstack([hidden / scale, np.ones((len(hidden), 1))])
    # the best change lies in the span of the patches: as many coordinates as patches, not units
    left, lengths, axes = np.linalg.svd(inputs, full_matrices=False)
    placed = left * lengths
    before, wanted = old.logits(hidden), np.eye(4)[labels]
    weights = _class_weights(labels)[:, None]

    def loss(flat: Floats, pull: float) -> tuple[float, Floats]:
        change = flat.reshape(-1, 4)
        chances = probabilities(before + placed @ change, NEUTRAL)
        fit = -(weights * wanted * np.log(np.maximum(chances, _LEAST))).sum()
        slope = placed.T @ (weights * (chances - wanted)) + pull * change
        return float(fit + pull / 2 * (change**2).sum()), slope.ravel()

    found, layers = np.zeros(placed.shape[1] * 4), []
    for pull in pulls:
        if pull != KEEP:
            found = minimize(loss, found, (pull,), "L-BFGS-B", jac=True).x
        change = axes.T @ found.reshape(-1, 4)
        layers.append(SoftmaxLayer(old.kernel + change[:-1] / scale, old.bias + change[-1]))
    return layers


def group_folds(groups: Sequence[str], labels: Ints, count: int) -> list[Ints]:
    """Numbers of the patches of each fold: whole groups, classes spread as evenly as they go.

    The largest groups first, each to the fold with the fewest patches of its classes.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        members[group].append(number)
    folds: list[list[int]] = [[] for _ in range(min(count, len(members)))]
    held = np.zeros((len(folds), 4))
    for group in sorted(members, key=lambda name: (-len(members[name]), name)):
        its = np.bincount(labels[members[group]], minlength=4)
        fold = min(range(len(folds)), key=lambda n: (held[n] @ (its > 0), held[n].sum()))
        folds[fold] += members[group]
        held[fold] += its
    return [np.array(sorted(fold), np.int64) for fold in folds if fold]


def _loss(logits: Floats, labels: Ints) -> float:
    """Cross-entropy after the best temperature, classes weighing alike."""
    shown = probabilities(logits, fit_temperature(logits, labels))
    own = np.log(np.maximum(shown[np.arange(len(labels)), labels], _LEAST))
    return float(-(_class_weights(labels) * own).sum())


def _class_weights(labels: Ints) -> Floats:
    weights = 1.0 / np.bincount(labels, minlength=4)[labels]
    return np.asarray(weights / weights.sum())
