"""Which tumour cells stain, how completely and how strongly, per ASCO/CAP class.

The shares of cells follow the ASCO/CAP 2018 criteria (see her2core.scores). A gap is left on both
sides of the rule's share, because no reader can tell a percent more from one less on a patch of
thirty cells.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.scores import HER2Score, score_of_cells

NONE, FAINT_INCOMPLETE, MODERATE_COMPLETE, INTENSE_COMPLETE = 0, 1, 2, 3


@dataclass(frozen=True)
class StainTruth:
    """Shares in [0, 1] of the tumour cells of a patch by membrane staining; they sum to 1."""

    cells: int
    none: float
    faint_incomplete: float
    moderate_complete: float
    intense_complete: float

    @property
    def score(self) -> HER2Score:
        """The score which the ASCO/CAP rule gives for these shares."""
        return score_of_cells(self.faint_incomplete, self.moderate_complete, self.intense_complete)


@dataclass(frozen=True)
class MembraneStain:
    """Per cell: pattern (0 to 3), completeness of the ring in [0, 1], DAB optical density."""

    pattern: npt.NDArray[np.int64]
    completeness: npt.NDArray[np.float32]
    density: npt.NDArray[np.float32]

    def truth(self) -> StainTruth:
        """The shares of the four patterns."""
        n = len(self.pattern)
        share = np.bincount(self.pattern, minlength=4) / max(n, 1)
        if n == 0:
            share = np.array([1.0, 0.0, 0.0, 0.0])
        return StainTruth(n, *(float(value) for value in share))


def _shares(score: HER2Score, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Target shares (none, faint incomplete, moderate complete, intense complete)."""
    if score is HER2Score.ZERO:
        faint = 0.0 if rng.random() < 0.5 else rng.uniform(0.0, 0.07)
        return np.array([1 - faint, faint, 0.0, 0.0])
    if score is HER2Score.ONE_PLUS:
        faint = 0.25 + 0.75 * rng.beta(1.8, 1.1)
        moderate = min(rng.uniform(0.0, 0.05), 1 - faint) if rng.random() < 0.3 else 0.0
        return np.array([1 - faint - moderate, faint, moderate, 0.0])
    if score is HER2Score.TWO_PLUS:
        intense = rng.uniform(0.01, 0.07) if rng.random() < 0.3 else 0.0
        moderate = (0.2 + 0.8 * rng.beta(1.8, 1.1)) * (1 - intense)
        faint = rng.uniform(0.0, 1.0) * (1 - moderate - intense)
        return np.array([1 - moderate - faint - intense, faint, moderate, intense])
    intense = 0.2 + 0.8 * rng.beta(2.2, 0.9)
    moderate = rng.uniform(0.3, 1.0) * (1 - intense)
    faint = rng.uniform(0.0, 1.0) * (1 - moderate - intense)
    return np.array([1 - moderate - faint - intense, faint, moderate, intense])


def draw_staining(
    score: HER2Score,
    clustering: npt.NDArray[np.float32],
    rng: np.random.Generator,
) -> MembraneStain:
    """Draw each tumour cell's membrane staining so that the patch's truth is `score`.

    Args:
        score: the class to realise.
        clustering: one smooth random value per cell: stained cells lie together, as clones do.
        rng: source of randomness.

    Returns:
        Staining of len(clustering) cells whose `truth().score` equals `score` wherever there are
        cells enough to realise it (at least one).
    """
    n = len(clustering)
    pattern = np.zeros(n, dtype=np.int64)
    if n:
        shares = _shares(score, rng)
        rank = np.argsort(np.argsort(clustering + rng.normal(0, rng.uniform(0.1, 1.0), n)))
        pattern = np.searchsorted(np.cumsum(shares)[:3], (rank + 0.5) / n).astype(np.int64)
        pattern = _meet_rule(pattern, score, rng)
    faint = rng.uniform(0.12, 0.21)
    moderate = rng.uniform(0.27, 0.54)
    intense = rng.uniform(0.78, 1.50)
    spread = np.exp(rng.normal(0.0, rng.uniform(0.08, 0.25), n))
    density = np.choose(pattern, [0.0, faint, moderate, intense]) * spread
    bounds_low = np.choose(pattern, [0.0, 0.10, 0.25, 0.70])
    bounds_high = np.choose(pattern, [0.0, 0.23, 0.60, 1.90])
    density = np.clip(density, bounds_low, bounds_high)
    completeness = np.choose(
        pattern,
        [np.zeros(n), rng.uniform(0.3, 0.75, n), rng.uniform(0.88, 1.0, n), np.ones(n)],
    )
    return MembraneStain(pattern, completeness.astype(np.float32), density.astype(np.float32))


def _meet_rule(
    pattern: npt.NDArray[np.int64], score: HER2Score, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Move single cells until rounding on few cells no longer changes the score."""
    pattern = pattern.copy()
    deciding = {
        HER2Score.ZERO: NONE,
        HER2Score.ONE_PLUS: FAINT_INCOMPLETE,
        HER2Score.TWO_PLUS: MODERATE_COMPLETE,
        HER2Score.THREE_PLUS: INTENSE_COMPLETE,
    }[score]
    for _ in range(len(pattern)):
        stain = MembraneStain(pattern, np.empty(0, np.float32), np.empty(0, np.float32))
        found = stain.truth().score
        if found == score:
            break
        wrong = np.flatnonzero(pattern > deciding if found > score else pattern != deciding)
        pattern[rng.choice(wrong)] = deciding
    return pattern
