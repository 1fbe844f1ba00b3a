"""One verdict for each group (core, slide, patient) from its patches, by the rule of shares.

A group has the highest score that enough of its patches reach (`scores.highest_reached`). The
same rule makes the true score of the group, which is the patches' label where all carry one.
Patches with hardly any tissue do not count: the rule is about tissue.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.evaluation.intervals import Interval, interval_of, resample, weight_blocks
from her2core.preprocessing.quality.findings import BLANK, LITTLE_TISSUE
from her2core.scores import HER2Score, highest_reached

NO_TISSUE = frozenset({BLANK.code, LITTLE_TISSUE})


@dataclass(frozen=True)
class GroupVerdict:
    """One group: its name, tissue patches, true score and the score read from its patches."""

    group: str
    n: int
    truth: int
    verdict: int


@dataclass(frozen=True)
class GroupLevel:
    """How a reader does on groups of several patches.

    Attributes:
        exact, within_one: shares of groups; `n` of the figures counts groups.
        groups: each group, in order of appearance.
    """

    exact: Interval
    within_one: Interval
    groups: tuple[GroupVerdict, ...]


def group_level(
    groups: Sequence[str],
    labels: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    tissue: npt.NDArray[np.bool_],
    n_boot: int,
    seed: int,
) -> GroupLevel | None:
    """Judge the groups that have several tissue patches.

    Args:
        groups: (n,), name of each patch's group; patches without one ("") are left out.
        labels, predicted: int (n,), classes 0 to 3.
        tissue: bool (n,), whether a patch shows enough tissue to count.
        n_boot, seed: resampling, here of groups.

    Returns:
        None where no group has several tissue patches.
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        if group and tissue[index]:
            members.setdefault(group, []).append(index)
    verdicts = []
    for group, mine in members.items():
        if len(mine) > 1:
            truth, verdict = (
                highest_reached([HER2Score(int(score)) for score in scores[mine]])
                for scores in (labels, predicted)
            )
            verdicts.append(GroupVerdict(group, len(mine), int(truth), int(verdict)))
    if not verdicts:
        return None
    n = len(verdicts)
    gap = np.array([abs(one.truth - one.verdict) for one in verdicts])

    def share(hit: npt.NDArray[np.bool_]) -> Interval:
        resampled = resample(lambda w: w @ hit / n, weight_blocks(np.arange(n), n_boot, seed))
        return interval_of(float(hit.mean()), resampled, n, n, share=True, counted="group")

    return GroupLevel(share(gap == 0), share(gap <= 1), tuple(verdicts))
