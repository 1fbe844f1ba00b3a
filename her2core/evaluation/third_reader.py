"""The stain measurement as third reader of a report: how often it is right, where it contradicts.

It gives a score or none, no probabilities, so it has figures of its own beside those of the
networks. Patches of one core are also pooled cell by cell, which is what the ASCO/CAP rule is
about: one patch may hold too few cells, a core rarely does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from her2core.evaluation.agreement import Confusion, agreement
from her2core.evaluation.intervals import Interval, patch_codes, undefined
from her2core.scores import HER2Score, highest_reached
from her2core.stain.reading import Counts, StainReading, h_score_of, pooled_score
from her2core.stain.report import FOREIGN_COLOURS
from her2core.stain.thresholds import StainThresholds

if TYPE_CHECKING:
    from her2core.evaluation.report import PatchRow

FAR_APART = 2
_MOST_NAMED = 60
_LEAST_RANKED = 4


@dataclass(frozen=True)
class StainRow:
    """What the third reader measured on one patch; fields as in `StainReading`."""

    method: str
    score: int | None
    reason: str | None
    counts: tuple[int, int, int, int]


@dataclass(frozen=True)
class Difference:
    """A network against the third reader, on patches to which both give a score.

    Attributes:
        key: the network.
        n: patches.
        same, one_grade, far: how many grades lie between them; far is two or more.
        far_network_right, far_stain_right: of those far apart, how often either gave the label.
        patches: sha256 of those far apart, widest gap first, 60 at most.
    """

    key: str
    n: int
    same: int
    one_grade: int
    far: int
    far_network_right: int
    far_stain_right: int
    patches: tuple[str, ...]


@dataclass(frozen=True)
class PooledGroup:
    """One core, slide or patient: the cells of all its patches counted together.

    Attributes:
        group: its name; n: patches.
        truth: its score, from its patches' labels by the guideline's rule of shares.
        score: by the ASCO/CAP rule on its cells; None below the fewest cells.
        ultralow: a 0 with staining in some cells.
        counts: cells per pattern.
    """

    group: str
    n: int
    truth: int
    score: int | None
    ultralow: bool
    counts: tuple[int, int, int, int]

    @property
    def h_score(self) -> float | None:
        """Sum of 1, 2 and 3 times the percentages of the stained patterns; None without cells."""
        return h_score_of(self.counts)


@dataclass(frozen=True)
class ThirdReader:
    """How the third reader does on a report's patches.

    Attributes:
        method: version of the measurement and its thresholds.
        n: patches measured.
        scored: patches that got a score; the figures are over these.
        exact, within_one, kappa: with intervals resampled by group.
        confusion: 4 x 4 counts, truth in rows.
        differences: for each network.
        groups: every group of several patches.
        groups_exact, groups_within_one: shares of the groups, those without a score counting as
            wrong; None without groups.
        rank: Spearman's correlation of the groups' H-score with their true score; None, with
            `rank_reason`, where there are too few groups or all have one score.
    """

    method: str
    n: int
    scored: int
    exact: Interval
    within_one: Interval
    kappa: Interval
    confusion: Confusion
    differences: tuple[Difference, ...]
    groups: tuple[PooledGroup, ...]
    groups_exact: float | None
    groups_within_one: float | None
    rank: float | None
    rank_reason: str


def row_of(reading: StainReading) -> StainRow:
    """What a report keeps of a reading.

    Cells count for their group where they are only too few for a score; where the picture is too
    coarse or of other colours they are not believed.
    """
    score = None if reading.score is None else int(reading.score)
    too_few = reading.cells < StainThresholds().least_cells and reading.reason != FOREIGN_COLOURS
    believed = (score is not None or too_few) and not _too_coarse(reading)
    counts = reading.counts if believed else (0, 0, 0, 0)
    return StainRow(reading.method, score, reading.reason, counts)


def _too_coarse(reading: StainReading) -> bool:
    scale = reading.um_per_pixel
    return scale is not None and scale > StainThresholds().coarsest_um_per_pixel


def third_reader(
    rows: Sequence[PatchRow], keys: Sequence[str], n_boot: int, seed: int
) -> ThirdReader | None:
    """All figures of the third reader; None where no row was measured.

    Args:
        rows: of the report.
        keys: of the networks, in the rows' probabilities.
        n_boot, seed: of the resampling of whole groups.
    """
    measured = [row for row in rows if row.stain is not None]
    if not measured:
        return None
    pairs = [
        (row, row.stain.score) for row in measured if row.stain and row.stain.score is not None
    ]
    scored = [row for row, _ in pairs]
    scores = np.array([score for _, score in pairs], np.int64)
    labels = np.array([row.label for row in scored], np.int64)
    exact, within_one, kappa, table = _figures(scored, labels, scores, n_boot, seed)
    groups = _pooled(measured)
    rank, reason = _rank(groups)
    return ThirdReader(
        method=measured[0].stain.method if measured[0].stain else "",
        n=len(measured),
        scored=len(scored),
        exact=exact,
        within_one=within_one,
        kappa=kappa,
        confusion=table,
        differences=tuple(_difference(key, scored, labels, scores) for key in keys),
        groups=groups,
        groups_exact=_share(groups, 0),
        groups_within_one=_share(groups, 1),
        rank=rank,
        rank_reason=reason,
    )


def _figures(
    rows: Sequence[PatchRow],
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.int64],
    n_boot: int,
    seed: int,
) -> tuple[Interval, Interval, Interval, Confusion]:
    if not rows:
        none = undefined(0, "No patch got a score.")
        return none, none, none, ((0, 0, 0, 0),) * 4
    codes = patch_codes([row.group for row in rows], [row.sha256 for row in rows])
    report = agreement(
        labels,
        scores,
        groups=codes,
        n_boot=n_boot,
        seed=seed,
        units="groups",
        counted_as="patch",
    )
    return report.exact, report.within_one, report.kappa, report.confusion


def _difference(
    key: str,
    rows: Sequence[PatchRow],
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.int64],
) -> Difference:
    # the network gave no score where there is too little tumour
    kept = [index for index, row in enumerate(rows) if row.assessable is not False]
    rows, labels, scores = [rows[index] for index in kept], labels[kept], scores[kept]
    called = np.array([int(np.argmax(row.probabilities[key])) for row in rows], np.int64)
    gap = np.abs(called - scores)
    far = gap >= FAR_APART
    widest = [int(at) for at in np.argsort(-gap, kind="stable") if far[at]]
    return Difference(
        key=key,
        n=len(rows),
        same=int((gap == 0).sum()),
        one_grade=int((gap == 1).sum()),
        far=int(far.sum()),
        far_network_right=int((far & (called == labels)).sum()),
        far_stain_right=int((far & (scores == labels)).sum()),
        patches=tuple(rows[at].sha256 for at in widest[:_MOST_NAMED]),
    )


def _pooled(rows: Sequence[PatchRow]) -> tuple[PooledGroup, ...]:
    members: dict[str, list[PatchRow]] = {}
    for row in rows:
        if row.group:
            members.setdefault(row.group, []).append(row)
    pooled = []
    for group, mine in members.items():
        if len(mine) < 2:
            continue
        counts: list[Counts] = [row.stain.counts for row in mine if row.stain is not None]
        score, ultralow, together = pooled_score(counts, StainThresholds())
        truth = highest_reached([HER2Score(row.label) for row in mine])
        pooled.append(
            PooledGroup(
                group,
                len(mine),
                int(truth),
                None if score is None else int(score),
                ultralow,
                together,
            )
        )
    return tuple(pooled)


def _share(groups: Sequence[PooledGroup], grades: int) -> float | None:
    if not groups:
        return None
    near = [g.score is not None and abs(g.score - g.truth) <= grades for g in groups]
    return float(np.mean(near))


def _rank(groups: Sequence[PooledGroup]) -> tuple[float | None, str]:
    pairs = [(g.truth, h) for g in groups if (h := g.h_score) is not None]
    if len(pairs) < _LEAST_RANKED:
        return None, f"A rank correlation needs {_LEAST_RANKED} groups of several patches."
    truths, h_scores = zip(*pairs, strict=True)
    if len(set(truths)) < 2 or len(set(h_scores)) < 2:
        return None, "All groups have one score."
    return float(spearmanr(truths, h_scores)[0]), ""
