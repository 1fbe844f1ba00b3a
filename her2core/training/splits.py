"""Training, validation and test sides: whole groups, all classes on each side as far as they go.

What belongs together stays together: the patches of a group (patient, slide, core) and exact copies
of one picture. A patch without a known group stands for itself. A dataset's own test part stays the
test part; an exact copy of one of its pictures on the training side takes the test copy's place,
which is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.training.datasets import DatasetError, LabelledFile

TRAIN, VALIDATION, TEST, LEFT_OUT = 0, 1, 2, 3
SIDE_NAMES = ("train", "validation", "test", "left out")


@dataclass(frozen=True)
class Split:
    """Which side every patch is on.

    Attributes:
        side: int (n,), one of TRAIN, VALIDATION, TEST, LEFT_OUT.
        from_layout: the test side is the dataset's own.
        ungrouped: patches without a known group.
    """

    side: npt.NDArray[np.int64]
    from_layout: bool
    ungrouped: int

    def rows(self, side: int) -> npt.NDArray[np.int64]:
        """Rows on a side, ascending."""
        return np.flatnonzero(self.side == side)


def split_files(
    files: Sequence[LabelledFile],
    sha256: Sequence[str],
    validation_share: float = 0.15,
    test_share: float = 0.15,
    seed: int = 0,
) -> Split:
    """Split by group, stratified by class.

    Whole units, largest first and in a seeded order among equals, go where the classes they hold
    are most missing, measured against each side's share of each class (after Sechidis et al., "On
    the stratification of multi-label data", ECML PKDD 2011). Training keeps every class.

    Args:
        files: all patches.
        sha256: of their pictures; exact copies stay on one side.
        validation_share, test_share: in [0, 1), together below 1. Where the dataset has its own
            test part, `test_share` is not used.
        seed: the same seed gives the same split.

    Raises:
        DatasetError: a group is on both sides of the dataset's own split, or a wanted side stays
            empty.
    """
    if min(validation_share, test_share) < 0 or validation_share + test_share >= 1:
        raise DatasetError("Validation and test share must be 0 or more and together below 1.")
    side = np.full(len(files), TRAIN, np.int64)
    own_test = np.array([file.part == "test" for file in files], bool)
    from_layout = bool(own_test.any())
    if from_layout:
        _check_own_split(files, own_test)
        side[own_test] = TEST
        learnt = {sha256[row] for row in np.flatnonzero(~own_test).tolist()}
        copies = [row for row in np.flatnonzero(own_test).tolist() if sha256[row] in learnt]
        side[copies] = LEFT_OUT
        test_share = 0.0
    rows = np.flatnonzero(~own_test)
    labels = np.array([int(file.label) for file in files], np.int64)
    units = _units(
        [files[row].group for row in rows.tolist()], [sha256[row] for row in rows.tolist()]
    )
    shares = np.array([1 - validation_share - test_share, validation_share, test_share])
    members = [rows[unit] for unit in units]
    for unit, chosen in zip(members, _assign(members, labels, shares, seed), strict=True):
        side[unit] = chosen
    for wanted, share in ((TRAIN, 1.0), (VALIDATION, validation_share), (TEST, test_share)):
        if share > 0 and not (side == wanted).any():
            raise DatasetError(
                f"{len(members)} groups are too few: nothing is left for {SIDE_NAMES[wanted]}."
            )
    return Split(side, from_layout, sum(not file.group for file in files))


def _check_own_split(files: Sequence[LabelledFile], own_test: npt.NDArray[np.bool_]) -> None:
    train = {file.group for file, test in zip(files, own_test, strict=True) if not test}
    test = {file.group for file, test in zip(files, own_test, strict=True) if test}
    shared = (train & test) - {""}
    if shared:
        raise DatasetError(
            f"{len(shared)} groups are both in the train and in the test part, e.g. "
            f"“{min(shared)}”; list the files in a CSV table without a part column to have them "
            "split by group."
        )


def _units(groups: Sequence[str], sha256: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    """What must stay together, as rows: connected by a group or by being the same picture."""
    parent = list(range(len(groups)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[tuple[str, str], int] = {}
    for row, (group, digest) in enumerate(zip(groups, sha256, strict=True)):
        for key in (("group", group), ("sha256", digest)):
            if key != ("group", ""):
                parent[root(row)] = root(first.setdefault(key, row))
    found: dict[int, list[int]] = defaultdict(list)
    for row in range(len(groups)):
        found[root(row)].append(row)
    return [np.array(unit, np.int64) for unit in sorted(found.values())]


def _assign(
    units: Sequence[npt.NDArray[np.int64]],
    labels: npt.NDArray[np.int64],
    shares: npt.NDArray[np.float64],
    seed: int,
) -> list[int]:
    """The side of each unit."""
    counts = np.array([np.bincount(labels[unit], minlength=4) for unit in units]).reshape(-1, 4)
    total = counts.sum(axis=0)
    missing = shares[:, None] * total
    order = np.random.default_rng(seed).permutation(len(units))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    side = [TRAIN] * len(units)
    for unit in order:
        # per class, so that a rare class counts as much as a common one
        need = ((missing / np.maximum(total, 1)) * (counts[unit] > 0)).sum(axis=1)
        need[shares <= 0] = -np.inf
        side[unit] = int(np.argmax(need))
        missing[side[unit]] -= counts[unit]
    for score in np.flatnonzero(total):
        if not any(counts[u, score] for u in range(len(units)) if side[u] == TRAIN):
            holders = [u for u in range(len(units)) if counts[u, score]]
            side[min(holders, key=lambda u: counts[u].sum())] = TRAIN
    return side
