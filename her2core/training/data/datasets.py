"""Labelled patches on disk: class folders with an optional truth.csv, and their pixels."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from her2core.preprocessing.patches import MODEL_SIDE, PatchError, decode
from her2core.scores import HER2Score
from her2core.settings import UploadLimits

Part = Literal["", "train", "validation", "test"]
TRUTH_FILE = "truth.csv"
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}


class DatasetError(ValueError):
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


@dataclass(frozen=True)
class PatchSet:
    """Pixels and labels: images uint8 (n, side, side, 3), labels int64 (n,), groups (n,)."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def list_class_folders(folder: Path) -> list[LabelledFile]:
    """List class_0, class_1+, class_2+ and class_3+ below `folder`, in sorted order.

    The group comes from the `group` column of truth.csv beside the class folders, where it exists.

    Raises:
        DatasetError: there is no such folder, it holds no picture in any class folder, or its
            truth.csv cannot be read.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    groups = truth_groups(folder / TRUTH_FILE)
    found = [
        LabelledFile(path, score, groups.get(f"{score.folder}/{path.name}", ""))
        for score in HER2Score
        for path in sorted((folder / score.folder).glob("*"))
        if path.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not found:
        names = ", ".join(score.folder for score in HER2Score)
        raise DatasetError(f"{folder} holds no pictures; expected class folders {names}.")
    return found


def truth_groups(path: Path) -> dict[str, str]:
    """The group of each file that a truth.csv names; none where there is no such table.

    Raises:
        DatasetError: the table cannot be read, or has no column `file`.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            return _groups(path, csv.DictReader(handle, strict=True))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{path} cannot be read; save it as CSV in UTF-8 with the columns file, group."
        ) from error


def _groups(path: Path, reader: csv.DictReader[str]) -> dict[str, str]:
    line = 1
    found: dict[str, str] = {}
    try:
        if "file" not in (reader.fieldnames or ()):
            raise DatasetError(f"{path} needs the columns file, group.")
        line = reader.line_num + 1
        for row in reader:
            found[row["file"]] = row.get("group") or ""
            line = reader.line_num + 1
    except csv.Error as error:
        raise unreadable_line(path, line, error) from error
    return found


def unreadable_line(path: Path, line: int, reason: object) -> DatasetError:
    """The error of a table's row that begins in this line."""
    return DatasetError(
        f"{path}, line {line} cannot be read ({reason}); is a quotation mark left open?"
    )


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


def _pixels(file: LabelledFile, size: int) -> npt.NDArray[np.uint8]:
    try:
        patch = decode(file.path.read_bytes(), file.path.name, UploadLimits())
    except (OSError, PatchError) as error:
        raise DatasetError(f"{file.path}: {error}") from error
    if size == MODEL_SIDE:
        return np.asarray(np.round(patch.pixels() * 255).astype(np.uint8))
    return np.asarray(cv2.resize(patch.field(), (size, size), interpolation=cv2.INTER_AREA))
