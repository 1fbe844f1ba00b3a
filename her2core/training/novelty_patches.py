"""Which patches a bundle's novelty is learnt from and calibrated on: `training.add_novelty`'s data.

No patient, slide or core may be among both, and who is left out of the calibration must be left out
whatever else lies in its folder: so groups are looked at as the folders name them, before patches
are drawn and before folders that tell no groups apart are taken as one.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from her2core.preprocessing.glass import WhiteBalance, prepared
from her2core.training.data.datasets import DatasetError, LabelledFile
from her2core.training.data.layouts import read_layout
from her2core.training.data.microscopes import seen_by_another
from her2core.training.data.restained import Image8

# a synthetic set has a group for each patch, whose names tell nobody anything
_MOST_NAMES = 200


class Patches(NamedTuple):
    """The patches that are known, and those of other groups to calibrate on.

    Attributes:
        known, held_out: with the groups that weigh the same, see `grouped`.
        groups: names of all groups among them, as their folders have them; of a folder that tells
            none apart, or hundreds, its own name.
    """

    known: Sequence[LabelledFile]
    held_out: Sequence[LabelledFile]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Views:
    """How pictures are shown to the network, as in its training.

    Attributes:
        white_balance: as in its card.
        microscopes: share of the known patches that are shown as other microscopes would have.
    """

    white_balance: WhiteBalance | None = None
    microscopes: float = 0.0

    def elsewhere(self, images: Sequence[Image8], rng: np.random.Generator) -> list[Image8]:
        """The pictures, some as other microscopes would have shown them."""
        return [
            seen_by_another(image.astype(np.float32) / np.float32(255), rng)
            if rng.random() < self.microscopes
            else image
            for image in images
        ]

    def looks(self, images: Sequence[Image8]) -> list[Image8]:
        """The pictures as they reach the network."""
        return [prepared(image, self.white_balance) for image in images]


def choose_patches(
    known: Sequence[Path],
    calibration: Sequence[Path],
    calibration_groups: Sequence[str],
    most: int,
    seed: int,
) -> Patches:
    """Draw the patches.

    Args:
        known, calibration: folders of patches.
        calibration_groups: only these groups of the calibration folders; a folder that tells no
            groups apart is taken whole. None named: all.
        most: at most so many known patches, and so many to calibrate on, of each folder.
        seed: of the drawing.

    Raises:
        DatasetError: a folder cannot be read, a named group is nowhere, or a group is among both.
    """
    wanted = frozenset(calibration_groups)
    of_known = [(folder, sample_files(_files(folder), most, seed)) for folder in known]
    listed = [(folder, _files(folder)) for folder in calibration]
    absent = wanted - {file.group for _, files in listed for file in files}
    if absent:
        raise DatasetError(
            f"No calibration patch is of the group {min(absent)}; see --calibration-groups."
        )
    held_out = [
        (folder, sample_files(_only(files, wanted) if wanted else files, most, seed))
        for folder, files in listed
    ]
    both = _groups(of_known) & _groups(held_out)
    if both:
        raise DatasetError(
            f"{min(both)} is among the known patches and among those to calibrate on; name other "
            "groups with --calibration-groups."
        )
    everything = [*of_known, *held_out]
    return Patches(
        [file for folder, files in of_known for file in grouped(folder, files)],
        [file for folder, files in held_out for file in grouped(folder, files)],
        tuple(sorted({name for folder, files in everything for name in _names(folder, files)})),
    )


def grouped(folder: Path, files: Sequence[LabelledFile]) -> list[LabelledFile]:
    """The files, all in one group where the folder tells no patients, slides or cores apart.

    Groups weigh the same in the calibration: a synthetic set with a group for each patch would
    outweigh every real core.
    """
    if _tells_apart(files):
        return list(files)
    return [replace(file, group=folder.name) for file in files]


def sample_files(files: Sequence[LabelledFile], most: int, seed: int) -> list[LabelledFile]:
    """Up to `most` of the files, drawn at random."""
    chosen = np.random.default_rng(seed).permutation(len(files))[:most]
    return [files[index] for index in sorted(chosen)]


def _files(folder: Path) -> list[LabelledFile]:
    layout = read_layout(folder, None)
    for remark in layout.remarks:
        print(remark, file=sys.stderr)
    return list(layout.files)


def _only(files: Sequence[LabelledFile], wanted: frozenset[str]) -> list[LabelledFile]:
    """The files of the wanted groups; all where the folder holds none and tells none apart."""
    chosen = [file for file in files if file.group in wanted]
    return chosen if chosen or _tells_apart(files) else list(files)


def _tells_apart(files: Sequence[LabelledFile]) -> bool:
    groups = {file.group for file in files}
    return "" not in groups and len(groups) <= len(files) / 2


def _groups(folders: Sequence[tuple[Path, Sequence[LabelledFile]]]) -> set[str]:
    return {file.group for _, files in folders for file in files} - {""}


def _names(folder: Path, files: Sequence[LabelledFile]) -> set[str]:
    if not files:
        return set()
    groups = {file.group for file in files} - {""}
    of_folder = set() if _tells_apart(files) else {folder.name}
    return of_folder | groups if len(groups) <= _MOST_NAMES else {folder.name}
