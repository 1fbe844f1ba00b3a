"""Teach a finished bundle what it knows, so that it can say when an input is unlike all of it.

    python -m training.add_novelty --bundle BUNDLE --known DIR[,DIR] --calibration DIR[,DIR] \\
        [--calibration-groups CORE,CORE]

Writes novelty.safetensors into the bundle and names it in its card; the weights stay as they are.
KNOWN are patches like those the network learnt from; of some of them other stains are made, to be
told apart. CALIBRATION are patches of patients, slides or
cores that are not among the known, and synthetic ones that are not either; measure on neither of
them afterwards (the card names their groups, and `python -m benchmarks.novelty` leaves them out).
A folder that tells no groups apart counts as one.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from her2core.models.appearance import appearance
from her2core.models.card import BundleError, KnownPatches, ModelCard
from her2core.models.novelty import (
    FEATURE_COMPONENTS,
    Novelty,
    calibrated,
    known_space,
    pooled,
)
from her2core.models.novelty_file import from_bytes, save_novelty, to_bytes
from her2core.models.other_stains import OtherStains, told_apart
from her2core.training.datasets import DatasetError, LabelledFile, load_patches
from her2core.training.layouts import read_layout
from her2core.training.restained import Image8, restained

Floats = npt.NDArray[np.float32]
Reader = Callable[[Floats], Floats]
_BATCH = 16


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when the bundle was written, 1 otherwise."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    args = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.add_novelty", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--bundle", required=True, type=Path, help="folder of a finished bundle")
    parser.add_argument(
        "--known", required=True, help="folders of patches such as training saw, by commas"
    )
    parser.add_argument(
        "--calibration", required=True, help="folders of held-out real patches, by commas"
    )
    parser.add_argument(
        "--calibration-groups", default="", help="take only these groups of them, by commas"
    )
    parser.add_argument(
        "--most",
        type=int,
        default=700,
        metavar="N",
        help="known patches drawn from each folder (default %(default)s)",
    )
    parser.add_argument(
        "--flagged",
        type=float,
        default=0.03,
        metavar="SHARE",
        help="share of the calibration patches that may be called unfamiliar (default %(default)s)",
    )
    parser.add_argument(
        "--others",
        type=int,
        default=400,
        metavar="N",
        help="patches to make of every other stain; 0 shows none (default %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the drawing (default 0)")
    return parser


def run(args: argparse.Namespace) -> ModelCard:
    """Read the patches, calibrate, write; as the command line says.

    Raises:
        BundleError, DatasetError, ValueError: it cannot be done; the message says why.
        OSError: the bundle cannot be written.
    """
    if not 0 < args.flagged < 0.5 or args.most < 20 or args.others < 0:
        raise ValueError(
            "Use --flagged between 0 and 0.5, --most 20 or more, and --others 0 or more."
        )
    from her2core.models.bundle import load_bundle
    from her2core.models.classifier import Classifier

    known = [
        file
        for folder in _folders(args.known)
        for file in grouped(folder, drawn(folder, args.most, args.seed))
    ]
    wanted = {name for name in args.calibration_groups.split(",") if name}
    held_out = [
        file
        for folder in _folders(args.calibration)
        for file in grouped(folder, drawn(folder, args.most, args.seed))
        if not wanted or file.group in wanted or file.group == folder.name
    ]
    both = {file.group for file in known if file.group} & {file.group for file in held_out}
    if both:
        raise ValueError(
            f"{min(both)} is among the known patches and among those to calibrate on; name other "
            "groups with --calibration-groups."
        )
    classifier = Classifier(load_bundle(args.bundle))

    def features(pixels: Floats) -> Floats:
        return pooled(classifier.infer(pixels)[1])

    novelty, facts = learnt(known, held_out, features, args.flagged, args.others, args.seed)
    return save_novelty(args.bundle, classifier.bundle.card, novelty, facts)


def learnt(
    known: Sequence[LabelledFile],
    held_out: Sequence[LabelledFile],
    features: Reader,
    flagged: float,
    others: int,
    seed: int,
) -> tuple[Novelty, KnownPatches]:
    """What a network knows, calibrated, and the facts for the card (without the sha256).

    Args:
        known, held_out: patches.
        features: pooled last features (n, c) of pixels float32 (n, 224, 224, 3).
        flagged: share of the held-out patches that may be called unfamiliar.
        others: patches to make of every other stain.
        seed: of making them.

    Raises:
        DatasetError: a patch cannot be read.
        ValueError: there are too few.
    """
    images = _images(known)
    of_known, of_held_out = _vectors(images, features), _vectors(_images(held_out), features)
    spaces = known_space(of_known[0], FEATURE_COMPONENTS), known_space(of_known[1])
    shown = _other_stains(images, Novelty(*spaces), of_known, features, others, seed)
    groups = tuple(file.group for file in held_out)
    novelty = calibrated(*spaces, of_held_out, groups, flagged, shown)
    # as they are stored: float16 moves distances a little
    stored = from_bytes(to_bytes(novelty))
    named = {file.group for file in (*known, *held_out)}
    facts = KnownPatches(
        sha256="",
        known=len(known),
        calibration=len(held_out),
        groups=tuple(sorted(named)),
        flagged=round(float((stored.of(*of_held_out) > 1).mean()), 4),
    )
    return novelty, facts


def _other_stains(
    images: Sequence[Image8],
    known: Novelty,
    of_known: tuple[Floats, Floats],
    features: Reader,
    count: int,
    seed: int,
) -> OtherStains | None:
    """What tells other stains, learnt from some made of known patches; None for a count of 0."""
    if not count:
        return None
    rng = np.random.default_rng(seed)
    sources = [images[at] for at in rng.permutation(len(images))]
    made = [image for kind in restained(sources, count, rng).values() for image in kind]
    return told_apart(known.placed(*of_known), known.placed(*_vectors(made, features)))


def drawn(folder: Path, most: int, seed: int) -> list[LabelledFile]:
    """Up to `most` patches of a folder, drawn at random.

    Raises:
        DatasetError: see `read_layout`.
    """
    files = list(read_layout(folder, None).files)
    chosen = np.random.default_rng(seed).permutation(len(files))[:most]
    return [files[index] for index in sorted(chosen)]


def grouped(folder: Path, files: Sequence[LabelledFile]) -> list[LabelledFile]:
    """The files, all in one group where the folder tells no patients, slides or cores apart.

    Groups weigh the same in the calibration: a synthetic set with a group for each patch would
    outweigh every real core.
    """
    groups = {file.group for file in files}
    if "" in groups or len(groups) > len(files) / 2:
        return [replace(file, group=folder.name) for file in files]
    return list(files)


def _images(files: Sequence[LabelledFile]) -> list[Image8]:
    if not files:
        raise ValueError("There are no patches of these groups.")
    return list(load_patches(files).images)


def _vectors(images: Sequence[Image8], features: Reader) -> tuple[Floats, Floats]:
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
