"""What a card says of the files beside the weights, and of where its bundle comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownPatches:
    """What novelty.safetensors was made of; see her2core.models.ood.novelty.

    Attributes:
        sha256: of novelty.safetensors.
        known: number of known patches whose references it holds.
        calibration: number of held-out patches which set the thresholds.
        groups: cores, slides or patients of both, so that nothing is measured on them by mistake.
        flagged: share of the calibration patches that is called unfamiliar.
    """

    sha256: str
    known: int
    calibration: int
    groups: tuple[str, ...]
    flagged: float


@dataclass(frozen=True)
class Adaptation:
    """What a bundle was fitted to after its training; see her2core.models.adapt.

    Attributes:
        base: id of the bundle that it was made from.
        frozen_sha256: over the base's layers but the last (bundle_files.frozen_digest), which are
            this bundle's, too.
        patches: number of labelled patches.
        groups: number of slides, cases or parent fields that they are from.
        classes: number of patches of each score, in clinical order.
        pull: how strongly the last layer was drawn to the base's; None where it is the base's,
            and only temperature, prediction sets and known patches were fitted.
    """

    base: str
    frozen_sha256: str
    patches: int
    groups: int
    classes: tuple[int, int, int, int]
    pull: float | None


@dataclass(frozen=True)
class ProvenanceFacts:
    """What provenance.safetensors holds; see her2core.training.provenance.

    Attributes:
        sha256: of provenance.safetensors.
        patches: number of patches that the network learnt from, its epoch was chosen by, or it was
            fitted to.
        groups: number of patients, slides or cores that they are known to be of.
    """

    sha256: str
    patches: int
    groups: int
