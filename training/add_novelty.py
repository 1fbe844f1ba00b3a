"""Teach a finished bundle what it knows, so that it can say when an input is unlike all of it.

    python -m training.add_novelty --bundle BUNDLE --known DIR[,DIR] --calibration DIR[,DIR] \\
        [--calibration-groups CORE,CORE] [--fields DIR] [--microscopes SHARE]

Writes novelty.safetensors into the bundle and names it in its card; the weights stay as they are.
KNOWN are patches like those the network learnt from; of some of them other stains are made, to be
told apart. CALIBRATION are patches of patients, slides or
cores that are not among the known, and synthetic ones that are not either; measure on neither of
them afterwards (the card names their groups, and `python -m benchmarks.novelty` leaves them out).
A folder that tells no groups apart counts as one. FIELDS are real fields with fields.csv, which
calibrate too, each source counting as a group.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from her2core.models.bundles.card import BundleError, ModelCard
from her2core.models.bundles.card_records import KnownPatches
from her2core.models.ood.appearance import appearance
from her2core.models.ood.novelty import FEATURE_COMPONENTS, Novelty, calibrated, known_space, pooled
from her2core.models.ood.novelty_file import from_bytes, save_novelty, to_bytes
from her2core.models.ood.other_stains import fit_other_stains
from her2core.training.data.datasets import DatasetError, LabelledFile, PatchSet, load_patches
from her2core.training.data.real_fields import labelled_fields
from her2core.training.data.restained import Image8, restained
from training.console import import_tensorflow
from training.novelty_patches import Patches, Views, choose_patches

if TYPE_CHECKING:
    from her2core.models.backends.tensorflow_backend import Classifier
    from her2core.models.bundles.bundle import Bundle

Floats = npt.NDArray[np.float32]
# pooled features (n, c) and appearance figures (n, d)
Vectors = tuple[Floats, Floats]
Reader = Callable[[Floats], Floats]
_BATCH = 16


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when the bundle was written, 1 otherwise."""
    args = parser().parse_args(arguments)
    try:
        card = run(args)
    except (BundleError, DatasetError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The bundle {args.bundle} cannot be written ({error.strerror}).", file=sys.stderr)
        return 1
    assert card.novelty is not None
    facts = card.novelty
    print(
        f"{args.bundle.name} knows {facts.known} patches; of {facts.calibration} held-out ones it "
        f"calls {facts.flagged:.1%} unfamiliar."
    )
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line may say."""
    found = argparse.ArgumentParser(
        prog="python -m training.add_novelty", description=__doc__.splitlines()[0]
    )
    found.add_argument("--bundle", required=True, type=Path, help="folder of a finished bundle")
    found.add_argument(
        "--known", required=True, help="folders of patches such as training saw, by commas"
    )
    found.add_argument(
        "--calibration", required=True, help="folders of held-out real patches, by commas"
    )
    found.add_argument(
        "--calibration-groups", default="", help="take only these groups of them, by commas"
    )
    found.add_argument("--fields", type=Path, help="real fields with fields.csv to calibrate on")
    found.add_argument(
        "--microscopes",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of the known patches that are shown as other microscopes would have shown "
        "them, as in the recipe of the training (default %(default)s)",
    )
    found.add_argument(
        "--most",
        type=int,
        default=700,
        metavar="N",
        help="known patches drawn from each folder (default %(default)s)",
    )
    found.add_argument(
        "--flagged",
        type=float,
        default=0.03,
        metavar="SHARE",
        help="share of the calibration patches that may be called unfamiliar by distance (default "
        "%(default)s); for looking like another stain half as many again may",
    )
    found.add_argument(
        "--others",
        type=int,
        default=400,
        metavar="N",
        help="patches to make of every other stain; 0 shows none (default %(default)s)",
    )
    found.add_argument("--seed", type=int, default=0, help="of the drawing (default 0)")
    return found


def run(args: argparse.Namespace) -> ModelCard:
    """Read the patches, calibrate, write; as the command line says.

    Raises:
        BundleError, DatasetError, ValueError: it cannot be done; the message says why.
        OSError: the bundle cannot be written.
    """
    import_tensorflow()
    from her2core.models.bundles.bundle import load_bundle

    patches = read_patches(args)
    fields = None if args.fields is None else labelled_fields(args.fields)
    bundle = load_bundle(args.bundle)
    drawing = Drawing(args.flagged, args.others, args.seed, args.microscopes)
    return save_novelty(args.bundle, bundle.card, *taught(bundle, patches, drawing, fields))


@dataclass(frozen=True)
class Drawing:
    """How a bundle is taught: see the options of the same names."""

    flagged: float = 0.03
    others: int = 400
    seed: int = 0
    microscopes: float = 0.0


def taught(
    bundle: Bundle, patches: Patches, drawing: Drawing, fields: PatchSet | None = None
) -> tuple[Novelty, KnownPatches]:
    """What a bundle knows of patches, and what its card says of that but for the file's sum.

    Raises:
        DatasetError, ValueError: a patch cannot be read, or there are too few.
    """
    from her2core.models.backends.tensorflow_backend import Classifier

    views = Views(bundle.card.input.white_balance, drawing.microscopes)
    features = network_features(Classifier(bundle))
    seen = look(patches, features, drawing.others, drawing.seed, views, fields)
    novelty = fit_novelty(seen, drawing.flagged)
    # as they are stored: float16 moves distances a little
    stored = from_bytes(to_bytes(novelty))
    return novelty, KnownPatches(
        sha256="",
        known=len(patches.known),
        calibration=len(seen.groups),
        groups=tuple(sorted({*patches.groups, *(fields.groups if fields else ())})),
        flagged=round(float((stored.of(*seen.held_out) > 1).mean()), 4),
    )


@dataclass(frozen=True, eq=False)
class Seen:
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


def read_patches(args: argparse.Namespace) -> Patches:
    """Which patches the command line names.

    Raises:
        DatasetError, ValueError: they cannot be used; the message says why.
    """
    if not 0 < args.flagged < 0.5 or args.most < 20 or args.others < 0:
        raise ValueError(
            "Use --flagged between 0 and 0.5, --most 20 or more, and --others 0 or more."
        )
    return choose_patches(
        _folders(args.known),
        _folders(args.calibration),
        [name for name in args.calibration_groups.split(",") if name],
        args.most,
        args.seed,
    )


def network_features(classifier: Classifier) -> Reader:
    """What gives pooled last features (n, c) of pixels float32 (n, 224, 224, 3)."""
    return lambda pixels: pooled(classifier.read(pixels).features)


def look(
    patches: Patches,
    features: Reader,
    others: int,
    seed: int,
    views: Views | None = None,
    fields: PatchSet | None = None,
) -> Seen:
    """Read all patches, and other stains made of the known ones.

    Args:
        patches: which.
        features: pooled last features (n, c) of pixels float32 (n, 224, 224, 3).
        others: patches to make of every other stain.
        seed: of making them.
        views: how pictures are shown; as they are by default.
        fields: real fields that are held out as well.

    Raises:
        DatasetError: a patch cannot be read.
        ValueError: there are none.
    """
    views = views or Views()
    images = _images(patches.known)
    made: Mapping[str, list[Image8]] = {}
    rng = np.random.default_rng(seed)
    if others:
        made = restained([images[at] for at in rng.permutation(len(images))], others, rng)
    images = views.elsewhere(images, rng)
    held_out, groups = _images(patches.held_out), [file.group for file in patches.held_out]
    if fields is not None:
        held_out, groups = [*held_out, *fields.images], [*groups, *fields.groups]
    return Seen(
        vectors(views.looks(images), features),
        vectors(views.looks(held_out), features),
        tuple(groups),
        {
            kind: vectors(views.looks(views.elsewhere(of_kind, rng)), features)
            for kind, of_kind in made.items()
            if of_kind
        },
    )


def fit_novelty(seen: Seen, flagged: float) -> Novelty:
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


def _images(files: Sequence[LabelledFile]) -> list[Image8]:
    if not files:
        raise ValueError("There are no patches of these groups.")
    return list(load_patches(files).images)


def vectors(images: Sequence[Image8], features: Reader) -> Vectors:
    """Pooled features and appearance figures of patches."""
    of_network, of_look = [], []
    for start in tqdm(range(0, len(images), _BATCH), unit="batch", disable=None):
        pixels = np.stack(images[start : start + _BATCH]).astype(np.float32) / np.float32(255)
        of_network.append(features(pixels))
        of_look.append(appearance(pixels))
    return np.concatenate(of_network), np.concatenate(of_look)


def _folders(text: str) -> list[Path]:
    return [Path(part) for part in text.split(",") if part]


if __name__ == "__main__":
    sys.exit(main())
