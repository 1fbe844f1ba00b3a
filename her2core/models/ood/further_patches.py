"""A bundle that knows unfamiliar inputs is shown further patches, e.g. a laboratory's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from her2core.models.ood.novelty import LESS_FAMILIAR, Floats, KnownSpace, Novelty, quantile
from her2core.models.ood.other_stains import clipped_threshold


def with_known(
    novelty: Novelty,
    features: Floats,
    looks: Floats,
    folds: Sequence[npt.NDArray[np.int64]],
    flagged: float,
) -> tuple[Novelty, Floats]:
    """The same that knows further patches.

    Where more than `flagged` of them, by what knows the other folds, would still be called
    unfamiliar, all thresholds are raised, to `LESS_FAMILIAR` times what they were at most: one odd
    patch must not let everything pass.

    Args:
        novelty: what knows the patches that it was made of.
        features, looks: (n, c) and (n, d) of the further patches.
        folds: their numbers, no group in two folds.
        flagged: share in (0, 1) that may be called unfamiliar.

    Returns:
        What knows them, and the novelty (n,) of each by what knows the other folds only.
    """
    left_out = np.empty(len(features), np.float32)
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(features)), fold)
        there = _referring(novelty, features[rest], looks[rest])
        left_out[fold] = there.of(features[fold], looks[fold])
    wanted = quantile(left_out, np.ones(len(left_out)), 1 - flagged)
    scale = min(max(wanted, 1.0), LESS_FAMILIAR)
    whole, other = _referring(novelty, features, looks), novelty.other
    if other is not None and scale > 1:
        other = replace(other, threshold=clipped_threshold(other.threshold * scale))
    wider = Novelty(
        replace(whole.features, threshold=whole.features.threshold * scale),
        replace(whole.appearance, threshold=whole.appearance.threshold * scale),
        other,
    )
    return wider, left_out / np.float32(scale)


def _referring(novelty: Novelty, features: Floats, looks: Floats) -> Novelty:
    """With these patches among the references."""

    def more(space: KnownSpace, vectors: Floats) -> KnownSpace:
        added = space.placed(vectors).astype(np.float32)
        return replace(space, references=np.concatenate([space.references, added]))

    return replace(
        novelty,
        features=more(novelty.features, features),
        appearance=more(novelty.appearance, looks),
    )
