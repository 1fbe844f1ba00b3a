"""A laboratory's own labelled patches, and what a network makes of them. Free of tensorflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.common.refusal import RefusalError
from her2core.models.adapt import LabelledFeatures
from her2core.models.backends.choose import open_reader
from her2core.models.bundles.bundle_files import CHECKED_PATCHES, BundleFiles
from her2core.models.ood.appearance import appearance
from her2core.models.ood.novelty import pooled
from her2core.models.reading_grid import squares_read, strongest
from her2core.preprocessing.patches import Patch, PatchError
from her2core.scores import HER2Score
from her2core.settings import Settings
from her2core.training.data.datasets import seen_pixels
from her2core.training.data.duplicates import Fingerprints, fingerprints, joined

LEAST_PATCHES = 30

OnProgress = Callable[[float], None]


class AdaptError(RefusalError, ValueError):
    """A bundle cannot be fitted to these patches; str(error) is one sentence."""


@dataclass(frozen=True)
class OwnPatch:
    """One labelled patch of the laboratory.

    Attributes:
        load: decodes it; may raise PatchError.
        label: its score.
        group: slide, case or parent field; "" where not known.
    """

    load: Callable[[], Patch]
    label: HER2Score
    group: str


@dataclass(frozen=True, eq=False)
class PatchReadings:
    """What the network makes of the patches.

    Attributes:
        features: of the hidden layer, with labels and groups.
        pooled, looks: last features (n, c) and appearance (n, d) of each verdict's square.
        background: hidden activations (k, units) of the bundle's own first background patches.
        prints: fingerprints of the patches.
        own_groups: as they were named, "" where not known.
        grouped: whether every patch's group is known.
        left_out: a sentence for each patch that was not taken.
    """

    features: LabelledFeatures
    pooled: npt.NDArray[np.float32]
    looks: npt.NDArray[np.float32]
    background: npt.NDArray[np.float32]
    prints: Fingerprints
    own_groups: tuple[str, ...]
    grouped: bool
    left_out: tuple[str, ...]


def check_patches(patches: Sequence[OwnPatch]) -> None:
    """Refuse what nothing can be fitted to.

    Raises:
        AdaptError: one sentence on what is missing.
    """
    if len(patches) < LEAST_PATCHES:
        raise AdaptError(
            f"{len(patches)} labelled patches are too few to fit a bundle to; give at least "
            f"{LEAST_PATCHES}, of several slides or cases."
        )
    scores = {patch.label for patch in patches}
    if len(scores) == 1:
        raise AdaptError(
            f"All patches are labelled {min(scores).label}; a bundle cannot be fitted to one score."
        )
    if len({patch.group for patch in patches}) == 1 and patches[0].group:
        raise AdaptError(
            "All patches are of one slide or case: whether the bundle gets better for others "
            "cannot be told; give patches of several."
        )


def read_patches(
    files: BundleFiles, patches: Sequence[OwnPatch], settings: Settings, on_progress: OnProgress
) -> PatchReadings:
    """Read patches; one that cannot be decoded, or comes again, is left out and named.

    Args:
        files: the bundle.
        patches: labelled.
        settings: which backend reads.
        on_progress: share that is done, before each patch; may raise to stop.

    Raises:
        AdaptError: too few are left, or they are of one score or one group only.
        BackendError: the network cannot be run here.
    """
    reader = open_reader(files, settings.backend, settings.cache_dir, exact=True)
    wanted = files.card.input
    hidden: list[npt.NDArray[np.float32]] = []
    of_network, looks, prints, left_out = [], [], [], []
    taken: dict[str, OwnPatch] = {}
    for number, own in enumerate(patches):
        on_progress(number / len(patches))
        try:
            patch = own.load()
        except PatchError as error:
            left_out.append(str(error))
            continue
        if patch.key in taken:
            same = taken[patch.key].label == own.label
            left_out.append(
                f"“{patch.name}” comes again{'' if same else ' with another score'}; it was taken "
                "once, as it came first."
            )
            continue
        taken[patch.key] = own
        squares = squares_read(patch, wanted.reading)
        pixels = np.stack([patch.with_square(one).pixels(wanted.white_balance) for one in squares])
        answer = reader.read(pixels)
        at = strongest(answer.probabilities)
        hidden.append(answer.hidden)
        of_network.append(pooled(answer.features[at : at + 1])[0])
        looks.append(appearance(pixels[at : at + 1])[0])
        prints.append(fingerprints(seen_pixels(patch)[None]))
    kept = list(taken.values())
    check_patches(kept)
    background = files.background[:CHECKED_PATCHES].astype(np.float32) / np.float32(255)
    features = LabelledFeatures(
        np.concatenate(hidden).astype(np.float64),
        np.cumsum([0, *(len(rows) for rows in hidden)]),
        np.array([int(own.label) for own in kept], np.int64),
        tuple(own.group or f"patch {number}" for number, own in enumerate(kept)),
    )
    return PatchReadings(
        features,
        np.stack(of_network),
        np.stack(looks),
        reader.read(background).hidden,
        joined(prints),
        tuple(own.group for own in kept),
        all(own.group for own in kept),
        tuple(left_out),
    )
