"""From trained weights to what a bundle says of them: temperature, prediction sets, figures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from her2core.evaluation.figures import Sample
from her2core.evaluation.intervals import patch_codes
from her2core.evaluation.metrics import set_metrics
from her2core.models.bundles.card import Metric, ModelCard
from her2core.models.conformal import calibrate, prediction_sets
from her2core.models.temperature import NEUTRAL, fit_temperature, probabilities
from her2core.scores import RULE_TEXT, HER2Score, highest_reached
from her2core.training.data.datasets import PatchSet

if TYPE_CHECKING:
    from her2core.models.bundles.bundle import Bundle

BACKGROUND_PATCHES = 20


def choose_background(patches: PatchSet) -> npt.NDArray[np.uint8]:
    """The patches nearest to the centres of k-means over small versions of them, for SHAP.

    Returns:
        uint8 (k, 224, 224, 3), at most `BACKGROUND_PATCHES`.
    """
    from sklearn.cluster import KMeans

    small = np.stack(
        [
            cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA).ravel()
            for image in patches.images
        ]
    ).astype(np.float32)
    clusters = KMeans(min(BACKGROUND_PATCHES, len(small)), n_init=4, random_state=0).fit(small)
    nearest = np.unique(clusters.transform(small).argmin(axis=0))
    return np.asarray(patches.images[nearest])


def calibrate_card(
    draft: ModelCard, stored: Bundle, validation: PatchSet, fields: PatchSet | None = None
) -> ModelCard:
    """The card with temperature and prediction sets.

    Args:
        draft: the card without them.
        stored: the network as its bundle will keep it.
        validation: patches that fit the prediction sets, and the temperature.
        fields: real patches from elsewhere that fit the temperature instead, each group counting
            the same.
    """
    logits = _logits(stored, validation)
    if fields is None:
        temperature = fit_temperature(logits, validation.labels)
    else:
        temperature = fit_temperature(_logits(stored, fields), fields.labels, fields.groups)
    # The same patches fitted one number, the temperature: what that costs is measured on a test.
    sets = calibrate(probabilities(logits, temperature), validation.labels, "validation patches")
    return replace(draft, temperature=temperature, conformal=sets)


def measure_set(card: ModelCard, stored: Bundle, test: PatchSet, name: str) -> tuple[Metric, ...]:
    """Agreement and calibration on a labelled set, with intervals resampled by group.

    Args:
        card: with temperature and prediction sets.
        stored: the network as its bundle will keep it.
        test: patches that neither saw.
        name: what the card calls them.
    """
    assert card.conformal is not None
    logits = _logits(stored, test)
    after, before = probabilities(logits, card.temperature), probabilities(logits, NEUTRAL)
    codes = patch_codes(test.groups, range(len(test.groups)))
    members = prediction_sets(after, card.conformal)
    return set_metrics(Sample(test.labels, after, before, codes, members), name)


def measure_cores(stored: Bundle, test: PatchSet) -> tuple[Metric, ...]:
    """Per held-out core: which crops go far wrong, and the core's score by the rule of shares."""
    predicted = _logits(stored, test).argmax(axis=1)
    found, gaps = [], []
    for core in sorted(set(test.groups)):
        mine = np.array([group == core for group in test.groups])
        truth = HER2Score(int(test.labels[mine].max()))
        calls, n = predicted[mine], int(mine.sum())
        verdict = highest_reached([HER2Score(int(call)) for call in calls])
        gaps.append(abs(int(verdict) - int(truth)))
        where = f"held-out core {core} ({truth.label}; read as {verdict.label})"
        for score in HER2Score:
            share = float((calls == int(score)).mean())
            found.append(Metric(f"crops called {score.label}", where, share, None, None, n))
    everything, cores = f"held-out cores, more than {RULE_TEXT} of crops", len(gaps)
    exact, near = (sum(gap <= most for gap in gaps) / cores for most in (0, 1))
    return (
        Metric("cores exact", everything, exact, None, None, cores),
        Metric("cores within one grade", everything, near, None, None, cores),
        *found,
    )


def _logits(stored: Bundle, patches: PatchSet) -> npt.NDArray[np.float64]:
    from her2core.models.bundles.bundle import plain_logits

    return plain_logits(stored.model, patches.images).astype(np.float64)
