"""What is kept of one stain measurement: small, plain, and comparable with the networks' verdicts.

The score is that of the ASCO/CAP 2018 rule (affirmed 2023; `her2core.scores`) on shares of cells.
HER2-ultralow as in DESTINY-Breast06 (Bardia et al., N Engl J Med 2024;391:2110): IHC 0 with faint
staining in some cells.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from her2core.scores import HER2Score, score_of_cells
from her2core.stain.cells import Pattern
from her2core.stain.thresholds import StainThresholds

# counted up whenever the measurement itself changes: readings of two methods do not compare
METHOD = 6
PREFIX = "stain"

Counts = tuple[int, int, int, int]
Shares = tuple[float, float, float, float]


@dataclass(frozen=True)
class StainReading:
    """One measurement of one square, without any network.

    Attributes:
        method: version of the measurement and of its thresholds, see `method_id`.
        counts: tumour-like cells per `Pattern`, in its order: without staining, faint or
            incomplete, weak to moderate complete, intense complete.
        score: by the ASCO/CAP rule; None where it cannot be told, never a default.
        reason: why there is no score, one sentence; None where there is one.
        ultralow: a 0 with membrane staining in some cells, too few for a 1+.
        completeness: median share of the rim that is stained, over stained cells, [0, 1]; None
            without any.
        intensity: median DAB optical density of stained rims; None without any.
        um_per_pixel: the scale that was used; None where nothing was measured.
    """

    method: str
    counts: Counts
    score: HER2Score | None
    reason: str | None
    ultralow: bool = False
    completeness: float | None = None
    intensity: float | None = None
    um_per_pixel: float | None = None

    @property
    def cells(self) -> int:
        """Number of cells that counted."""
        return sum(self.counts)

    @property
    def shares(self) -> Shares | None:
        """Share of each pattern in [0, 1], together 1; None without any cell."""
        return shares_of(self.counts)

    @property
    def verdict(self) -> str:
        """The score in words: "2+", "0 (HER2-ultralow)" or "no score"."""
        if self.score is None:
            return "no score"
        return f"{self.score.label} (HER2-ultralow)" if self.ultralow else self.score.label

    @property
    def h_score(self) -> float | None:
        """Sum of 1, 2 and 3 times the percentages of the stained patterns, [0, 300].

        McCarty et al., Cancer Res 1986;46:4244s, with membrane patterns for intensities. None
        without any cell.
        """
        return h_score_of(self.counts)

    def table(self) -> list[tuple[str, int, float | None]]:
        """Rows (pattern, cells, share in [0, 1] or None), strongest staining first."""
        shares = self.shares
        return [
            (pattern.label, self.counts[pattern], None if shares is None else shares[pattern])
            for pattern in reversed(Pattern)
        ]


def method_id(thresholds: StainThresholds) -> str:
    """Name of the measurement with these thresholds, such as "stain-6-1a2b3c4d5e6f"."""
    text = json.dumps(asdict(thresholds), sort_keys=True)
    return f"{PREFIX}-{METHOD}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def no_reading(reason: str, thresholds: StainThresholds) -> StainReading:
    """A reading that says why nothing was measured."""
    return StainReading(method_id(thresholds), (0, 0, 0, 0), None, reason)


def pooled_score(
    counts: Iterable[Counts], thresholds: StainThresholds
) -> tuple[HER2Score | None, bool, Counts]:
    """The rule on the cells of several squares together, such as the crops of one core.

    Returns:
        The score (None below `thresholds.least_cells`), whether it is HER2-ultralow, and the
        pooled counts.
    """
    columns = list(zip(*counts, strict=True)) or [(), (), (), ()]
    none, faint, moderate, intense = (sum(column) for column in columns)
    pooled = (none, faint, moderate, intense)
    shares = shares_of(pooled)
    if shares is None or sum(pooled) < thresholds.least_cells:
        return None, False, pooled
    return score_of(shares, thresholds), is_ultralow(shares, thresholds), pooled


def shares_of(counts: Counts) -> Shares | None:
    """Share of each pattern in [0, 1], together 1; None without any cell."""
    total = sum(counts)
    if not total:
        return None
    none, faint, moderate, intense = (count / total for count in counts)
    return none, faint, moderate, intense


def h_score_of(counts: Counts) -> float | None:
    """See `StainReading.h_score`."""
    shares = shares_of(counts)
    return None if shares is None else sum(i * 100 * part for i, part in enumerate(shares))


def score_of(shares: Shares, thresholds: StainThresholds) -> HER2Score:
    """The score that shares of cells give.

    Args:
        shares: none, faint or incomplete, weak to moderate complete, intense complete; sum 1.
        thresholds: `positive_share` is the guideline's share; intense complete staining below
            `noise_share` is not believed.
    """
    return score_of_cells(*shares[1:], thresholds.positive_share, thresholds.noise_share)


def is_ultralow(shares: Shares, thresholds: StainThresholds) -> bool:
    """Whether a 0 is a HER2-ultralow: membrane staining in some cells, too few for a 1+."""
    stained = 1 - shares[0]
    return score_of(shares, thresholds) is HER2Score.ZERO and stained > thresholds.noise_share
