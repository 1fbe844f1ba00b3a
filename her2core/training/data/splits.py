"""Training, validation and test sides: whole groups, all classes on each side as far as they go.

What belongs together stays together: the patches of a group (patient, slide, core) and exact copies
of one picture. A patch without a known group stands for itself. A dataset's own parts stay
what they are; but a picture of training that comes again in validation or test is left out there,
and one of validation in test.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from her2core.training.data.datasets import DatasetError, LabelledFile

TRAIN, VALIDATION, TEST, LEFT_OUT = 0, 1, 2, 3
SIDE_NAMES = ("training", "validation", "test", "left out")
_OWN_SIDES = {"validation": VALIDATION, "test": TEST}


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
    the stratification of multi-label data", ECML PKDD 2011). Training keeps every class, and a
    class with as many single-class units as there are wanted sides is on all of them.

    Args:
        files: all patches; a part that one names is the side it is on.
        sha256: of their pictures; exact copies stay on one side.
        validation_share, test_share: in [0, 1), together below 1, of the patches that name no such
            part. Where some do, that share is not used.
        seed: the same seed gives the same split.

    Raises:
        DatasetError: a group is on two sides of the dataset's own split, or nothing is left for
            validation.
    """
    if min(validation_share, test_share) < 0 or validation_share + test_share >= 1:
        raise DatasetError("Validation and test share must be 0 or more and together below 1.")
    own = [_OWN_SIDES.get(file.part, TRAIN) for file in files]
    side = np.array(own, np.int64)
    from_layout = TEST in own
    _check_own_split(files, own)
    learnt: set[str] = set()
    for wanted in (TRAIN, VALIDATION, TEST):
        rows = [row for row, its in enumerate(own) if its == wanted]
        side[[row for row in rows if sha256[row] in learnt]] = LEFT_OUT
        learnt |= {sha256[row] for row in rows}
    shares = [
        0.0 if VALIDATION in own else validation_share,
        0.0 if from_layout else test_share,
    ]
    free = [row for row, its in enumerate(own) if its == TRAIN]
    units = _units([files[row].group for row in free], [sha256[row] for row in free])
    members = [np.array(free, np.int64)[unit] for unit in units]
    labels = np.array([int(file.label) for file in files], np.int64)
    chosen_sides = _assign(members, labels, np.array([1 - sum(shares), *shares]), seed)
    for unit, chosen in zip(members, chosen_sides, strict=True):
        side[unit] = chosen
    if shares[0] > 0 and not (side == VALIDATION).any():
        raise DatasetError(
            f"{len(members)} groups are too few: training takes one of each class, and nothing is "
            "left for validation. Give more patches, or fit a finished bundle to these by "
            "training.adapt."
        )
    return Split(side, from_layout, sum(not file.group for file in files))


def _check_own_split(files: Sequence[LabelledFile], own: Sequence[int]) -> None:
    groups = [
        {file.group for file, its in zip(files, own, strict=True) if its == side} - {""}
        for side in (TRAIN, VALIDATION, TEST)
    ]
    for first, second in ((TRAIN, VALIDATION), (TRAIN, TEST), (VALIDATION, TEST)):
        shared = groups[first] & groups[second]
        if shared:
            raise DatasetError(
                f"{len(shared)} groups are both in {SIDE_NAMES[first]} and {SIDE_NAMES[second]}, "
                f"e.g. “{min(shared)}”. Split by patient, slide or core; a CSV table without a "
                "part column leaves that to this command."
            )


def _units(groups: Sequence[str], sha256: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    """What must stay together, as rows: connected by a group or by being the same picture."""
    keys: dict[tuple[str, str], int] = {}
    ends = [
        (row, keys.setdefault(key, len(groups) + len(keys)))
        for row, (group, digest) in enumerate(zip(groups, sha256, strict=True))
        for key in (("group", group), ("sha256", digest))
        if key != ("group", "")
    ]
    size = len(groups) + len(keys)
    graph = coo_array((np.ones(len(ends)), np.array(ends).reshape(-1, 2).T), shape=(size, size))
    _, number = connected_components(graph, directed=False)
    units: dict[int, list[int]] = defaultdict(list)
    for row in range(len(groups)):
        units[int(number[row])].append(row)
    return [np.array(unit, np.int64) for unit in units.values()]


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
    _fill_sides(side, counts, order[::-1].tolist(), np.flatnonzero(shares > 0).tolist())
    return side


def _fill_sides(
    side: list[int], counts: npt.NDArray[np.int64], smallest_first: list[int], wanted: list[int]
) -> None:
    """Give each wanted side the classes it lacks, where enough units hold them.

    Large units go first and training's share is the largest, so that few units of a class would
    all be training's. Units move only from where each of their classes stays: no side loses one.
    """

    def holders(score: int, place: int) -> int:
        return sum(counts[unit, score] > 0 for unit in smallest_first if side[unit] == place)

    def spare(unit: int) -> bool:
        its = np.flatnonzero(counts[unit]).tolist()
        return all(holders(score, side[unit]) > 1 for score in its)

    enough = np.flatnonzero((counts > 0).sum(axis=0) >= len(wanted)).tolist()
    for place in wanted:
        for score in enough:
            if holders(score, place) == 0:
                movable = (unit for unit in smallest_first if counts[unit, score] and spare(unit))
                chosen = next(movable, None)
                if chosen is not None:
                    side[chosen] = place
    for place in wanted:  # of few groups, one at least
        if place not in side:
            chosen = next((unit for unit in smallest_first if spare(unit)), None)
            if chosen is not None:
                side[chosen] = place
