"""The ASCO/CAP 2018 rule (affirmed 2023; `her2core.scores`) on shares of cells, and HER2-ultralow.

Source: Wolff et al., J Clin Oncol 2018;36:2105 and 2023;41:3867. Ultralow as in DESTINY-Breast06
(Bardia et al., N Engl J Med 2024;391:2110): IHC 0 with faint staining in some cells.
"""

from her2core.scores import HER2Score, score_of_cells
from her2core.stain.thresholds import StainThresholds

Shares = tuple[float, float, float, float]


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
