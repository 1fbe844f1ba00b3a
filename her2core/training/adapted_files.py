"""The files of a bundle that was fitted to a laboratory's patches: tensors, logits and card."""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np

from her2core import __version__
from her2core.models.adapt import KEEP, AdaptedHead
from her2core.models.bundles.bundle_files import BundleFiles, frozen_digest
from her2core.models.bundles.card import Metric
from her2core.models.bundles.card_records import Adaptation, KnownPatches
from her2core.models.ood.novelty import Novelty
from her2core.models.ood.novelty_file import to_bytes
from her2core.scores import HER2Score
from her2core.training.data.datasets import class_counts
from her2core.training.own_patches import PatchReadings
from her2core.training.provenance import Provenance

KERNEL, BIAS = "logits/kernel", "logits/bias"


def fitted_files(
    files: BundleFiles,
    head: AdaptedHead,
    novelty: Novelty | None,
    provenance: Provenance,
    seen: PatchReadings,
    metrics: tuple[Metric, ...],
    notes: tuple[str, ...],
) -> BundleFiles:
    """What is written of a fitted bundle.

    Args:
        files: of the bundle as it is.
        head: its new last layer, temperature and prediction sets.
        novelty: what knows the patches, too; None where the bundle cannot tell unfamiliar ones.
        provenance: what it learnt from, these patches included.
        seen: the patches it was fitted to.
        metrics: figures for the card.
        notes: further sentences for it.
    """
    kernel = head.layer.kernel.astype(np.float16)  # as a bundle keeps matrices
    bias = head.layer.bias.astype(np.float32)
    logits = seen.background @ kernel.astype(np.float32) + bias
    base, features = files.card, seen.features
    counts = Counter(features.labels.tolist())
    zero, one, two, three = (counts[int(score)] for score in HER2Score)
    groups = len(set(features.groups)) if seen.grouped else 0
    known = f"{groups} groups" if seen.grouped else "groups not known"
    what = "Its last layer was fitted" if head.pull != KEEP else "It was calibrated"
    own = f"{len(features)} own patches ({class_counts(features.labels.tolist())}; {known})"
    own_notes = [f"{what} to {own}, from {base.model_id}; figures of that bundle are in its card."]
    if not seen.grouped:
        own_notes.append("Groups were not all known: the figures are optimistic.")
    card = replace(
        base,
        name=f"{base.name}, adapted",
        training_data=f"{base.training_data} Then {own}.",
        split="Figures: every patch by what was fitted without its slide, case or parent field.",
        metrics=metrics,
        temperature=head.temperature,
        date=datetime.date.today().isoformat(),
        code_version=__version__,
        notes=(*notes, *own_notes, *base.notes),
        conformal=head.sets,
        novelty=_known(base.novelty, novelty, seen),
        provenance=provenance.facts,
        adapted=Adaptation(
            base=base.model_id,
            frozen_sha256=frozen_digest(files.tensors),
            patches=len(features),
            groups=groups,
            classes=(zero, one, two, three),
            pull=None if head.pull == KEEP else head.pull,
        ),
    )
    tensors = {**files.tensors, KERNEL: kernel, BIAS: bias}
    return replace(files, card=card, tensors=tensors, logits=logits.astype(np.float32))


def _known(
    base: KnownPatches | None, novelty: Novelty | None, seen: PatchReadings
) -> KnownPatches | None:
    if base is None or novelty is None:
        return None
    digest = hashlib.sha256(to_bytes(novelty)).hexdigest()
    return replace(base, sha256=digest, known=base.known + len(seen.features))
