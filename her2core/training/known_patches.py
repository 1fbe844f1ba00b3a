"""What a bundle learns of patches, so that it can say when an input is unlike all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from her2core.models.backends.reader import Reader
from her2core.models.bundles.card import ModelInput
from her2core.models.bundles.card_records import KnownPatches
from her2core.models.ood.appearance import appearance
from her2core.models.ood.novelty import FEATURE_COMPONENTS, Novelty, calibrated, known_space, pooled
from her2core.models.ood.novelty_file import from_bytes, to_bytes
from her2core.models.ood.other_stains import fit_other_stains
from her2core.training.data.datasets import DatasetError, LabelledFile, PatchSet, load_patches
from her2core.training.data.restained import Image8, restained
from her2core.training.novelty_patches import Patches, Views

Floats = npt.NDArray[np.float32]
# pooled features (n, c) and appearance figures (n, d)
Vectors = tuple[Floats, Floats]
_BATCH = 16


@dataclass(frozen=True)
class Drawing:
    """How a bundle is taught.

    Attributes:
        flagged: share of the held-out patches that may be called unfamiliar by distance.
        others: patches to make of every other stain.
        seed: of making them.
        microscopes: share of the known patches that are shown as other microscopes would have.
    """

    flagged: float = 0.03
    others: int = 400
    seed: int = 0
    microscopes: float = 0.0


@dataclass(frozen=True, eq=False)
class PatchLooks:
    """Pooled features (n, c) and appearance figures (n, d) of patches.

    Attributes:
        known, held_out: of these patches.
        groups: of the held-out patches, (n,).
        others: of other stains made of the known patches, by kind; empty where none are shown.
    """

    known: Vectors
    held_out: Vectors
    groups: tuple[str, ...]
    others: Mapping[str, Vectors]


def teach(
    reader: Reader,
    wanted: ModelInput,
    patches: Patches,
    drawing: Drawing,
    fields: PatchSet | None = None,
) -> tuple[Novelty, KnownPatches]:
    """What a bundle knows of patches, and what its card says of that.

    Args:
        reader: of the bundle.
        wanted: how it wants its input.
        patches: known and held out.
        drawing: how it is taught.
        fields: real fields that are held out as well.

    Raises:
        DatasetError, ValueError: a patch cannot be read, or there are too few.
    """
    seen = _look(reader, Views(wanted.white_balance, drawing.microscopes), patches, drawing, fields)
    novelty = fit_novelty(seen, drawing.flagged)
    data = to_bytes(novelty)
    # as they are stored: float16 moves distances a little
    flagged = from_bytes(data).of(*seen.held_out) > 1
    return novelty, KnownPatches(
        sha256=hashlib.sha256(data).hexdigest(),
        known=len(patches.known),
        calibration=len(seen.groups),
        groups=tuple(sorted({*patches.groups, *(fields.groups if fields else ())})),
        flagged=round(float(flagged.mean()), 4),
    )


def fit_novelty(seen: PatchLooks, flagged: float) -> Novelty:
    """What a network knows, calibrated.

    Args:
        seen: what the patches look like to it.
        flagged: share of the held-out patches that may be called unfamiliar.

    Raises:
        ValueError: there are too few.
    """
    spaces = known_space(seen.known[0], FEATURE_COMPONENTS), known_space(seen.known[1])
    other = None
    if seen.others:
        known = Novelty(*spaces)
        placed = [known.placed(*of_kind) for of_kind in seen.others.values()]
        other = fit_other_stains(known.placed(*seen.known), np.concatenate(placed))
    return calibrated(*spaces, seen.held_out, seen.groups, flagged, other)


def _look(
    reader: Reader, views: Views, patches: Patches, drawing: Drawing, fields: PatchSet | None
) -> PatchLooks:
    """Read all patches, and other stains made of the known ones."""
    images = _images(patches.known)
    made: Mapping[str, list[Image8]] = {}
    rng = np.random.default_rng(drawing.seed)
    if drawing.others:
        made = restained([images[at] for at in rng.permutation(len(images))], drawing.others, rng)
    images = views.elsewhere(images, rng)
    held_out, groups = _images(patches.held_out), [file.group for file in patches.held_out]
    if fields is not None:
        held_out, groups = [*held_out, *fields.images], [*groups, *fields.groups]
    return PatchLooks(
        _vectors(reader, views.looks(images)),
        _vectors(reader, views.looks(held_out)),
        tuple(groups),
        {
            kind: _vectors(reader, views.looks(views.elsewhere(of_kind, rng)))
            for kind, of_kind in made.items()
            if of_kind
        },
    )


def _images(files: Sequence[LabelledFile]) -> list[Image8]:
    if not files:
        raise DatasetError("There are no patches of these groups.")
    return list(load_patches(files).images)


def _vectors(reader: Reader, images: Sequence[Image8]) -> Vectors:
    of_network, of_look = [], []
    for start in tqdm(range(0, len(images), _BATCH), unit="batch", disable=None):
        pixels = np.stack(images[start : start + _BATCH]).astype(np.float32) / np.float32(255)
        of_network.append(pooled(reader.read(pixels).features))
        of_look.append(appearance(pixels))
    return np.concatenate(of_network), np.concatenate(of_look)
