"""Labelled patches on disk, and their pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.refusal import RefusalError
from her2core.preprocessing.glass import WhiteBalance, prepared
from her2core.preprocessing.patches import MODEL_SIDE, Patch, PatchError, decode_file
from her2core.preprocessing.picture_files import LeftOut
from her2core.scores import HER2Score
from her2core.settings import UploadLimits

Part = Literal["", "train", "validation", "test"]


PARTS: Mapping[str, Part] = {
    "train_data_patch": "train",
    "test_data_patch": "test",
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": "test",
}


class DatasetError(RefusalError, ValueError):
    """The folder cannot be used for training; the message says why and what to do."""


@dataclass(frozen=True)
class LabelledFile:
    """One patch of a dataset.

    Attributes:
        path: of the picture.
        label: its score.
        group: its patient, slide or core, or "" where unknown.
        part: which side of the dataset's own split it is on, or "" where it has none.
    """

    path: Path
    label: HER2Score
    group: str
    part: Part = ""


class Contents(NamedTuple):
    """What a folder or table holds, before groups are known; `kind` names the layout."""

    kind: str
    files: list[LabelledFile]
    left_out: list[LeftOut]


def class_counts(labels: Iterable[int]) -> str:
    """How many patches each class has, e.g. "3 of 0, 1 of 1+, 0 of 2+, 2 of 3+"."""
    counts = Counter(labels)
    return ", ".join(f"{counts[score]} of {score.label}" for score in HER2Score)


def outside(pictures: Iterable[Path], reason: str) -> list[LeftOut]:
    """Pictures that lie where the layout has no place for them."""
    return [LeftOut(path, reason, picture=True) for path in pictures]


@dataclass(frozen=True)
class PatchSet:
    """Pixels and labels: images uint8 (n, side, side, 3), labels int64 (n,), groups (n,)."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def prepared(self, white_balance: WhiteBalance | None) -> PatchSet:
        """The same patches as a network with this white balance sees them."""
        if white_balance is None or not len(self):
            return self
        images = np.stack([prepared(image, white_balance) for image in self.images])
        return PatchSet(images, self.labels, self.groups)


def load_patches(
    files: Sequence[LabelledFile],
    size: int = MODEL_SIDE,
    progress: Callable[[int, int], None] | None = None,
) -> PatchSet:
    """Decode patches by the code that serves the pages, so that training sees what they see.

    Args:
        files: patches to read.
        size: side of the pictures in memory; below 224 for a cheap first training stage.
        progress: told (done, total) after each patch.

    Raises:
        DatasetError: a picture cannot be read; the message names it.
    """
    images = np.empty((len(files), size, size, 3), np.uint8)
    with ThreadPoolExecutor() as pool:  # decoding and resizing let go of the interpreter
        try:
            for index, image in enumerate(pool.map(lambda file: _pixels(file, size), files)):
                images[index] = image
                if progress is not None:
                    progress(index + 1, len(files))
        except BaseException:  # the rest need not be decoded
            pool.shutdown(cancel_futures=True)
            raise
    labels = np.array([int(file.label) for file in files], np.int64)
    return PatchSet(images, labels, tuple(file.group for file in files))


def seen_pixels(patch: Patch) -> npt.NDArray[np.uint8]:
    """A patch as the models see it, but for the white balance: uint8 (224, 224, 3)."""
    return np.asarray(np.round(patch.pixels() * 255).astype(np.uint8))


def _pixels(file: LabelledFile, size: int) -> npt.NDArray[np.uint8]:
    try:
        patch = decode_file(file.path, UploadLimits())
    except PatchError as error:
        raise DatasetError(f"{file.path}: {error}") from error
    if size == MODEL_SIDE:
        return seen_pixels(patch)
    return np.asarray(cv2.resize(patch.field(), (size, size), interpolation=cv2.INTER_AREA))
