"""A bundle fitted to a laboratory's own labelled or reviewed patches, and whether that is better.

Before anything is written, the bundle as it is and the fitted one are compared on patches whose
slide, case or parent field the fitted one had not learnt from (cross-fitting: all that is fitted,
the strength of the pull included, is fitted anew without each fold). Free of tensorflow, so that
the Models page can do it.
"""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from her2core import __version__
from her2core.evaluation.figures import Sample
from her2core.evaluation.intervals import Interval, patch_codes, weight_blocks
from her2core.evaluation.metrics import sample_metrics
from her2core.evaluation.pairs import PairComparison, brier_difference, compare
from her2core.models.adapt import (
    KEEP,
    OUTER_FOLDS,
    PULLS,
    AdaptedHead,
    SoftmaxLayer,
    adapt_head,
    group_folds,
)
from her2core.models.bundles.bundle_files import (
    BundleFiles,
    frozen_digest,
    read_files,
    write_files,
)
from her2core.models.bundles.card import Adaptation, KnownPatches, Metric, ModelCard
from her2core.models.conformal import prediction_sets
from her2core.models.ood.further_patches import with_known
from her2core.models.ood.novelty import Novelty
from her2core.models.ood.novelty_file import NOVELTY_FILE, load_novelty, to_bytes
from her2core.models.temperature import probabilities
from her2core.scores import HER2Score
from her2core.settings import Settings
from her2core.training.own_patches import OwnPatch, Seen, Told, check_patches, read_patches

HELD_OUT = "own patches, their groups left out"
_WHERE = "on slides or cases that it had not learnt from"
_KERNEL, _BIAS = "logits/kernel", "logits/bias"
_N_BOOT = 1000
# how much of the work is reading, the rest is fitting
_READING_SHARE = 0.8


@dataclass(frozen=True, eq=False)
class Proposal:
    """A fitted bundle that is not written yet, and how it does on groups it had not learnt from.

    Attributes:
        card: of the bundle, but for the files' sums.
        before, after: figures of the bundle as it is and of the fitted one, as a card states them.
        pair: the two compared, with McNemar's test.
        brier: change of the Brier score, below 0 is better.
        unfamiliar: share of the patches called unfamiliar, before and after; None where the bundle
            cannot tell.
        left_out: a sentence for each patch that was not taken.
        grouped: whether every patch's group is known.
    """

    card: ModelCard
    before: tuple[Metric, ...]
    after: tuple[Metric, ...]
    pair: PairComparison
    brier: Interval
    unfamiliar: tuple[float, float] | None
    left_out: tuple[str, ...]
    grouped: bool
    _files: BundleFiles
    _novelty: Novelty | None

    @property
    def worse_in(self) -> tuple[str, ...]:
        """In what it is surely worse."""
        pair = self.pair
        found = {
            "exact agreement": _below(pair.accuracy_difference),
            "kappa": _below(pair.kappa_difference),
            "the Brier score": _above(self.brier),
        }
        return tuple(name for name, worse in found.items() if worse)

    @property
    def better(self) -> bool:
        """Surely better in exact agreement or the Brier score, and surely worse in nothing."""
        gained = _above(self.pair.accuracy_difference) or _below(self.brier)
        return gained and not self.worse_in

    @property
    def verdict(self) -> str:
        """Whether it is better, in one sentence."""
        if self.better:
            return f"Better {_WHERE}."
        if self.worse_in:
            return f"Worse in {' and '.join(self.worse_in)} {_WHERE}."
        if self.brier.low is None:
            return f"No better that could be shown. {self.brier.reason}"
        return f"No better {_WHERE}."


def propose(
    folder: Path,
    patches: Sequence[OwnPatch],
    settings: Settings,
    *,
    calibrate_only: bool = False,
    told: Told = lambda share: None,
) -> Proposal:
    """Fit a bundle to patches and compare; nothing is written.

    Args:
        folder: of the bundle.
        patches: labelled, from at least two groups.
        settings: which backend reads.
        calibrate_only: leave the last layer as it is.
        told: share of the work that is done, in [0, 1], at least once a second; may raise to stop.

    Raises:
        AdaptError: the patches are too few, or of one score or one group only.
        BackendError: the network cannot be run here.
        BundleError: the bundle cannot be used.
    """
    check_patches(patches)
    files = read_files(folder)
    novelty = load_novelty(folder, files.card)
    seen = read_patches(files, patches, settings, lambda share: told(share * _READING_SHARE))
    pulls = (KEEP,) if calibrate_only else PULLS
    # these matrices are small: threads would wait for one another longer than they work
    with threadpool_limits(1):
        return _fitted(files, novelty, seen, pulls, told)


def write(proposal: Proposal, out: Path) -> ModelCard:
    """Write the fitted bundle; the folder appears complete or not at all.

    Raises:
        BundleError: the folder holds something.
        OSError: it cannot be written.
    """
    files, novelty = proposal._files, proposal._novelty
    extra = {} if novelty is None else {NOVELTY_FILE: to_bytes(novelty)}
    return write_files(replace(files, folder=out), extra)


def _fitted(
    files: BundleFiles,
    novelty: Novelty | None,
    seen: Seen,
    pulls: Sequence[float],
    told: Told,
) -> Proposal:
    card, features = files.card, seen.features
    old = SoftmaxLayer(
        files.tensors[_KERNEL].astype(np.float64), files.tensors[_BIAS].astype(np.float64)
    )
    folds = group_folds(features.groups, features.labels, OUTER_FOLDS)
    shown = {"before": np.empty((len(features), 4)), "after": np.empty((len(features), 4))}
    members = {name: np.zeros((len(features), 4), bool) for name in shown}
    everything = np.arange(len(features))
    for number, fold in enumerate(folds):

        def step(done: float = number / (len(folds) + 1)) -> None:
            told(_READING_SHARE + (1 - _READING_SHARE) * done)

        head = adapt_head(
            old, card.temperature, features.of(np.setdiff1d(everything, fold)), pulls, step
        )
        tested = features.of(fold)
        shown["after"][fold] = probabilities(
            tested.logits(head.layer, card.temperature), head.temperature
        )
        members["after"][fold] = prediction_sets(shown["after"][fold], head.sets)
    shown["before"] = probabilities(features.logits(old, card.temperature), card.temperature)
    if card.conformal is not None:
        members["before"] = prediction_sets(shown["before"], card.conformal)
    codes = patch_codes(features.groups, everything.tolist())
    samples = {
        name: Sample(features.labels, chances, None, codes, members[name])
        for name, chances in shown.items()
    }
    if card.conformal is None:
        samples["before"] = replace(samples["before"], members=None)
    both = samples["before"], samples["after"]
    head = adapt_head(old, card.temperature, features, pulls, lambda: told(1.0))
    wider, strange = novelty, None
    if novelty is not None and card.novelty is not None:
        first = novelty.of(seen.pooled, seen.looks)
        wider, later = with_known(novelty, seen.pooled, seen.looks, folds, card.novelty.flagged)
        strange = float((first > 1).mean()), float((later > 1).mean())
    after = sample_metrics(samples["after"], HELD_OUT, _N_BOOT)
    fitted = _fitted_files(files, head, wider, seen, after)
    return Proposal(
        fitted.card,
        sample_metrics(samples["before"], HELD_OUT, _N_BOOT),
        after,
        compare(("before", "after"), *both, weight_blocks(codes, _N_BOOT, 0)),
        brier_difference(*both, weight_blocks(codes, _N_BOOT, 0)),
        strange,
        seen.left_out,
        seen.grouped,
        fitted,
        wider,
    )


def _fitted_files(
    files: BundleFiles,
    head: AdaptedHead,
    novelty: Novelty | None,
    seen: Seen,
    metrics: tuple[Metric, ...],
) -> BundleFiles:
    kernel = head.layer.kernel.astype(np.float16)  # as a bundle keeps matrices
    bias = head.layer.bias.astype(np.float32)
    logits = seen.background @ kernel.astype(np.float32) + bias
    tensors = {**files.tensors, _KERNEL: kernel, _BIAS: bias}
    card = _card(files, head, novelty, seen, metrics)
    return replace(files, card=card, tensors=tensors, logits=logits.astype(np.float32))


def _card(
    files: BundleFiles,
    head: AdaptedHead,
    novelty: Novelty | None,
    seen: Seen,
    metrics: tuple[Metric, ...],
) -> ModelCard:
    base, features = files.card, seen.features
    counts = Counter(features.labels.tolist())
    zero, one, two, three = (counts[int(score)] for score in HER2Score)
    classes = ", ".join(f"{counts[int(score)]} of {score.label}" for score in HER2Score)
    groups = len(set(features.groups)) if seen.grouped else 0
    known = f"{groups} groups" if seen.grouped else "groups not known"
    what = "Its last layer was fitted" if head.pull != KEEP else "It was calibrated"
    own = f"{len(features)} own patches ({classes}; {known})"
    notes = [f"{what} to {own}, from {base.model_id}; figures of that bundle are in its card."]
    if not seen.grouped:
        notes.append("Groups were not all known: the figures are optimistic.")
    return replace(
        base,
        name=f"{base.name}, adapted",
        training_data=f"{base.training_data} Then {own}.",
        split="Figures: every patch by what was fitted without its slide, case or parent field.",
        metrics=metrics,
        temperature=head.temperature,
        date=datetime.date.today().isoformat(),
        code_version=__version__,
        notes=(*notes, *base.notes),
        conformal=head.sets,
        novelty=_known(base.novelty, novelty, seen),
        adapted=Adaptation(
            base=base.model_id,
            frozen_sha256=frozen_digest(files.tensors),
            patches=len(features),
            groups=groups,
            classes=(zero, one, two, three),
            pull=None if head.pull == KEEP else head.pull,
        ),
    )


def _known(base: KnownPatches | None, novelty: Novelty | None, seen: Seen) -> KnownPatches | None:
    if base is None or novelty is None:
        return None
    return replace(
        base,
        sha256=hashlib.sha256(to_bytes(novelty)).hexdigest(),
        known=base.known + len(seen.features),
        groups=base.groups,
    )


def _above(interval: Interval) -> bool:
    return interval.low is not None and interval.low > 0


def _below(interval: Interval) -> bool:
    return interval.high is not None and interval.high < 0
