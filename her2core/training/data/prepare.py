"""From folders to the three sides of a training: read, told apart, split, checked for copies."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from her2core.common.files import write_atomically
from her2core.scores import HER2Score
from her2core.common.text import spreadsheet_text
from her2core.training.data.batches import Mixture
from her2core.training.data.datasets import DatasetError, LabelledFile, PatchSet, class_counts, load_patches
from her2core.training.data.duplicates import (
    Fingerprints,
    check_labels,
    fingerprints,
    near_duplicates,
)
from her2core.training.data.layouts import read_layout
from her2core.training.data.splits import LEFT_OUT, SIDE_NAMES, TEST, TRAIN, VALIDATION, Split, split_files

SPLIT_FILE = "split.csv"
DUPLICATES_FILE = "duplicates.csv"
_FEW = 20
OPTIMISTIC = (
    "{n} of {total} patches have no known group (patient, slide, core): patches of one patient may "
    "be on both sides, and all figures are OPTIMISTIC. Name groups in a CSV table, in truth.csv, "
    "or by --group-pattern."
)


@dataclass(frozen=True)
class Request:
    """What is to be trained on.

    Attributes:
        sources: folders or tables, and the share of each batch that is drawn from each; a class
            that one lacks comes from the first that has it.
        validation: folder of its own for validation; None splits it off.
        group_pattern: see `her2core.training.data.layouts.read_layout`.
        validation_share, test_share: of the patches; see `split_files`.
        seed: of the split.
    """

    sources: tuple[tuple[Path, float], ...]
    validation: Path | None = None
    group_pattern: str | None = None
    validation_share: float = 0.15
    test_share: float = 0.15
    seed: int = 0


@dataclass(frozen=True)
class Prepared:
    """Patches ready for training.

    Attributes:
        files: every patch that was read.
        split: the side of each.
        mixture: training patches, per source.
        validation: patches that select the epoch and fit the temperature.
        statements: what was recognised, a line per source.
        remarks: what was left out and which patches have no group; they name files.
        warnings: what a person must know, a sentence each.
        copies: rows of pairs (kind, row, row) that show the same picture on two sides.
        prints: of every patch, at the side that is trained with.
    """

    files: tuple[LabelledFile, ...]
    split: Split
    mixture: Mixture
    validation: PatchSet
    statements: tuple[str, ...]
    warnings: tuple[str, ...]
    copies: tuple[tuple[str, int, int], ...]
    prints: Fingerprints
    remarks: tuple[str, ...] = ()

    def files_of(self, side: int) -> list[LabelledFile]:
        """The patches on a side."""
        return [self.files[row] for row in self.split.rows(side).tolist()]

    def describe_split(self) -> str:
        """The split in words, for a model card."""
        origin = "the dataset's own test part" if self.split.from_layout else "split off"
        parts = []
        for side in (TRAIN, VALIDATION, TEST):
            files = self.files_of(side)
            classes = class_counts(file.label for file in files)
            groups = len({file.group for file in files} - {""})
            known = f" from {groups} groups" if groups else ""
            parts.append(f"{SIDE_NAMES[side]} {len(files)} patches ({classes}){known}")
        rule = (
            "Whole groups (patient, slide, core) on one side"
            if not self.split.ungrouped
            else f"By patch where no group is known ({self.split.ungrouped} patches), so that "
            "figures are optimistic"
        )
        return f"{rule}: {'; '.join(parts)}. Test: {origin}."


def prepare(
    request: Request, size: int, progress: Callable[[int, int], None] | None = None
) -> Prepared:
    """Read, split and check.

    Args:
        request: what to read and how to split it.
        size: side of the pictures in memory.
        progress: told (done, total) while pictures are read.

    Raises:
        DatasetError: the data cannot be trained on; one sentence names what and where.
    """
    layouts = [read_layout(path, request.group_pattern) for path, _ in request.sources]
    files = [file for layout in layouts for file in layout.files]
    source = [number for number, layout in enumerate(layouts) for _ in layout.files]
    statements = [layout.statement for layout in layouts]
    remarks = [remark for layout in layouts for remark in layout.remarks]
    if request.validation is not None:
        apart = read_layout(request.validation, request.group_pattern)
        files += [replace(file, part="validation") for file in apart.files]
        source += [-1] * len(apart.files)
        statements.append(f"validation apart: {apart.statement}")
        remarks += apart.remarks
    _check_classes(files)
    patches = load_patches(files, size, progress)
    prints = fingerprints(patches.images)
    check_labels(files, prints)
    split = split_files(
        files, prints.sha256, request.validation_share, request.test_share, request.seed
    )
    if not len(split.rows(VALIDATION)):
        raise DatasetError("No patch is left for validation, which selects the epoch.")
    copies = _copies(split, prints.sha256, near_duplicates(prints, split.side))
    origin = np.array(source)
    sets = [
        _rows(patches, np.flatnonzero((split.side == TRAIN) & (origin == number)))
        for number in range(len(layouts))
    ]
    shares = np.array([share for _, share in request.sources]) * [len(part) > 0 for part in sets]
    mixture = Mixture(tuple(sets), tuple((shares / shares.sum()).tolist()))
    mixture.by_class()
    return Prepared(
        files=tuple(files),
        split=split,
        mixture=mixture,
        validation=_rows(patches, split.rows(VALIDATION)),
        statements=tuple(statements),
        warnings=tuple(_warnings(files, split, copies)),
        copies=tuple(copies),
        prints=prints,
        remarks=tuple(remarks),
    )


def record(prepared: Prepared, folder: Path, started: bool) -> None:
    """Write the split and the copies found into a run's folder.

    Args:
        prepared: what is trained on.
        folder: of the run.
        started: the run has learnt something already, so that the split must be the same.

    Raises:
        DatasetError: the run was started with other patches or another split.
        OSError: the folder cannot be written to.
    """
    text = _csv(
        ("file", "label", "group", "side", "sha256"),
        [
            (_shown(file), HER2Score(file.label).key, file.group, SIDE_NAMES[side], digest)
            for file, side, digest in zip(
                prepared.files, prepared.split.side.tolist(), prepared.prints.sha256, strict=True
            )
        ],
    )
    path = folder / SPLIT_FILE
    folder.mkdir(parents=True, exist_ok=True)
    if started and path.is_file() and path.read_bytes() != text:
        raise DatasetError(
            f"The patches or their split are not those the run in {folder} was started with; use "
            "the same data, shares and seed, or another run folder."
        )
    write_atomically(path, text)
    found = [
        (kind, _shown(prepared.files[a]), _shown(prepared.files[b]))
        for kind, a, b in prepared.copies
    ]
    write_atomically(folder / DUPLICATES_FILE, _csv(("kind", "file", "copy"), found))


def _check_classes(files: Sequence[LabelledFile]) -> None:
    there = {file.label for file in files if file.part in ("", "train")}
    for score in HER2Score:
        if score not in there:
            raise DatasetError(
                f"Class {score.label} is empty: no training patch carries it. Every class needs "
                "some."
            )


def _copies(
    split: Split, sha256: Sequence[str], near: Sequence[tuple[int, int]]
) -> list[tuple[str, int, int]]:
    first: dict[str, int] = {}
    for row in np.argsort(split.side, kind="stable").tolist():
        first.setdefault(sha256[row], row)
    exact = [("exact", first[sha256[row]], row) for row in split.rows(LEFT_OUT).tolist()]
    return exact + [("near", a, b) for a, b in near if split.side[b] != LEFT_OUT]


def _warnings(
    files: Sequence[LabelledFile], split: Split, copies: Sequence[tuple[str, int, int]]
) -> list[str]:
    found = []
    if split.ungrouped:
        found.append(OPTIMISTIC.format(n=split.ungrouped, total=len(files)))
    for kind, then in (
        ("exact", "the copy outside training was left out"),
        ("near", "they were kept; look at them, they may make the figures too good"),
    ):
        pairs = [(a, b) for its, a, b in copies if its == kind]
        if pairs:
            # their names may be patients': they stay in the run's folder, this goes onto the card
            found.append(
                f"{len(pairs)} {kind} copies of a picture on two sides, named in "
                f"{DUPLICATES_FILE}: {then}."
            )
    judging = len(split.rows(VALIDATION))
    if judging < _FEW:
        found.append(
            f"Only {judging} patches choose the epoch and fit the temperature and the prediction "
            "sets: all three are little more than guesses."
        )
    for side in (VALIDATION, TEST):
        there = {files[row].label for row in split.rows(side).tolist()}
        lacking = [score.label for score in HER2Score if score not in there]
        if there and lacking:
            found.append(
                f"{SIDE_NAMES[side].capitalize()} has no patch of class {', '.join(lacking)}: too "
                "few groups carry it."
            )
    return found


def _rows(patches: PatchSet, rows: npt.NDArray[np.int64]) -> PatchSet:
    groups = tuple(patches.groups[row] for row in rows.tolist())
    return PatchSet(patches.images[rows], patches.labels[rows], groups)


def _shown(file: LabelledFile) -> str:
    """A file under its last two folders: enough to find it, without the way to this machine."""
    return "/".join(file.path.parts[-3:])


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([spreadsheet_text(cell) for cell in row] for row in rows)
    return stream.getvalue().encode()
