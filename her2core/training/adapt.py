"""A bundle fitted to a laboratory's own labelled or reviewed patches, and whether that is better.

Before anything is written, the bundle as it is and the fitted one are compared on patches whose
slide, case or parent field the fitted one had not learnt from (cross-fitting: all that is fitted,
the strength of the pull included, is fitted anew without each fold). Free of tensorflow, so that
the Models page can do it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from her2core.evaluation.figures import Sample
from her2core.evaluation.intervals import Interval, patch_codes, weight_blocks
from her2core.evaluation.metrics import set_metrics
from her2core.evaluation.pairs import PairComparison, brier_difference, compare
from her2core.models.adapt import (
    INNER_FOLDS,
    KEEP,
    OUTER_FOLDS,
    PULLS,
    SoftmaxLayer,
    adapt_head,
    group_folds,
)
from her2core.models.bundles.bundle_files import (
    BundleFiles,
    read_files,
    write_files,
)
from her2core.models.bundles.card import Metric, ModelCard
from her2core.models.conformal import prediction_sets
from her2core.models.ood.further_patches import with_known
from her2core.models.ood.novelty import Novelty
from her2core.models.ood.novelty_file import NOVELTY_FILE, load_novelty, to_bytes
from her2core.models.temperature import probabilities
from her2core.settings import Settings
from her2core.training.adapted_files import BIAS, KERNEL, fitted_files
from her2core.training.learning_curve import SHARES, CurvePoint, curve_point, read_held_out
from her2core.training.own_patches import (
    OnProgress,
    OwnPatch,
    PatchReadings,
    check_patches,
    read_patches,
)
from her2core.training.provenance import (
    PROVENANCE_FILE,
    Provenance,
    provenance_from,
    provenance_of,
)
from her2core.training.provenance import to_bytes as provenance_bytes

HELD_OUT = "own patches, their groups left out"
_WHERE = "on slides or cases that it had not learnt from"
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
        known: what must be said where the bundle knew some of the patches before, or may have.
        curve: how right it is as it is, with fewer patches, and with all that each fold allows.
        left_out: a sentence for each patch that was not taken.
        grouped: whether every patch's group is known.
    """

    card: ModelCard
    before: tuple[Metric, ...]
    after: tuple[Metric, ...]
    pair: PairComparison
    brier: Interval
    unfamiliar: tuple[float, float] | None
    known: str
    curve: tuple[CurvePoint, ...]
    left_out: tuple[str, ...]
    grouped: bool
    _files: BundleFiles
    _extra: Mapping[str, bytes]

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
    on_progress: OnProgress = lambda share: None,
) -> Proposal:
    """Fit a bundle to patches and compare; nothing is written.

    Args:
        folder: of the bundle.
        patches: labelled, from at least two groups.
        settings: which backend reads.
        calibrate_only: leave the last layer as it is.
        on_progress: share of the work that is done, in [0, 1], at least once a second; may
            raise to stop.

    Raises:
        AdaptError: the patches are too few, or of one score or one group only.
        BackendError: the network cannot be run here.
        BundleError: the bundle cannot be used.
    """
    check_patches(patches)
    files = read_files(folder)
    novelty, before = load_novelty(folder, files.card), provenance_of(folder)
    seen = read_patches(files, patches, settings, lambda share: on_progress(share * _READING_SHARE))
    pulls = (KEEP,) if calibrate_only else PULLS
    # these matrices are small: threads would wait for one another longer than they work
    with threadpool_limits(1):
        return _fitted(files, novelty, before, seen, pulls, on_progress)


def write(proposal: Proposal, out: Path) -> ModelCard:
    """Write the fitted bundle; the folder appears complete or not at all.

    Raises:
        BundleError: the folder holds something.
        OSError: it cannot be written.
    """
    return write_files(replace(proposal._files, folder=out), proposal._extra)


def _fitted(
    files: BundleFiles,
    novelty: Novelty | None,
    before: Provenance,
    seen: PatchReadings,
    pulls: Sequence[float],
    on_progress: OnProgress,
) -> Proposal:
    card, features = files.card, seen.features
    old = SoftmaxLayer(
        files.tensors[KERNEL].astype(np.float64), files.tensors[BIAS].astype(np.float64)
    )
    folds = group_folds(features.groups, features.labels, OUTER_FOLDS)
    fits = itertools.count()
    # each fold with shares of its patches, and at the end all patches, in as many steps
    steps = (len(SHARES) * len(folds) + 1) * INNER_FOLDS

    def step() -> None:
        on_progress(_READING_SHARE + (1 - _READING_SHARE) * min(1.0, next(fits) / steps))

    codes = patch_codes(features.groups, list(range(len(features))))
    chances = probabilities(features.logits(old, card.temperature), card.temperature)
    sets = None if card.conformal is None else prediction_sets(chances, card.conformal)
    as_it_is = Sample(features.labels, chances, None, codes, sets)
    readings = [
        (0.0, as_it_is),
        *(
            read_held_out(old, card.temperature, features, folds, codes, pulls, step, share)
            for share in SHARES
        ),
    ]
    as_fitted = readings[-1][1]
    head = adapt_head(old, card.temperature, features, pulls, step)
    wider, strange = novelty, None
    if novelty is not None and card.novelty is not None:
        first = novelty.of(seen.pooled, seen.looks)
        wider, later = with_known(novelty, seen.pooled, seen.looks, folds, card.novelty.flagged)
        strange = float((first > 1).mean()), float((later > 1).mean())
    after = set_metrics(as_fitted, HELD_OUT, _N_BOOT)
    groups = seen.own_groups
    provenance = before.and_also(provenance_from(seen.prints, groups))
    known, notes = before.among("the bundle as it is", seen.prints, groups)
    if known.any():
        notes.append("Its figures on them are optimistic.")
    fitted = fitted_files(files, head, wider, provenance, seen, after, tuple(notes))
    extra = {PROVENANCE_FILE: provenance_bytes(provenance)}
    if wider is not None:
        extra[NOVELTY_FILE] = to_bytes(wider)
    return Proposal(
        fitted.card,
        set_metrics(as_it_is, HELD_OUT, _N_BOOT),
        after,
        compare(("before", "after"), as_it_is, as_fitted, weight_blocks(codes, _N_BOOT, 0)),
        brier_difference(as_it_is, as_fitted, weight_blocks(codes, _N_BOOT, 0)),
        strange,
        " ".join(notes),
        tuple(curve_point(patches, sample) for patches, sample in readings),
        seen.left_out,
        seen.grouped,
        fitted,
        extra,
    )


def _above(interval: Interval) -> bool:
    return interval.low is not None and interval.low > 0


def _below(interval: Interval) -> bool:
    return interval.high is not None and interval.high < 0
