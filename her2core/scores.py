"""The four HER2 IHC scores: their order and names, and the rule that gives them.

Source of the rule: ASCO/CAP guideline update 2018 (Wolff et al., J Clin Oncol 36:2105),
affirmed 2023 (Wolff et al., J Clin Oncol 41:3867). HER2-low as used in DESTINY-Breast04
(Modi et al., N Engl J Med 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

# A pattern of staining decides the score where *more than* this share of the cells shows it.
RULE_SHARE = 0.10
RULE_TEXT = f"{100 * RULE_SHARE:g} %"

RESEARCH_NOTICE = "Research use only. Not a diagnostic device, not diagnostic advice."


class HER2Score(IntEnum):
    """HER2 IHC score on its ordinal scale; the integer is the class index of every model."""

    ZERO = 0
    ONE_PLUS = 1
    TWO_PLUS = 2
    THREE_PLUS = 3

    @property
    def key(self) -> str:
        """The score in files that are kept or handed on, whatever people read elsewhere."""
        return _KEYS[self]

    @property
    def label(self) -> str:
        """The score as people read it on pages, in charts and reports: "0", "1+", "2+" or "3+"."""
        return self.key

    @property
    def folder(self) -> str:
        """Name of the dataset folder that holds this class, e.g. "class_1+"."""
        return f"class_{self.key}"

    @property
    def column(self) -> str:
        """Suffix of a table column, e.g. "1plus" in "p_1plus"."""
        return self.key.replace("+", "plus")

    @property
    def status(self) -> str:
        """The status word that goes with the score: negative, equivocal or positive."""
        return _STATUS[self]

    @property
    def meaning(self) -> str:
        """What the score would mean for a tumour, worded as research information."""
        return f"A {self.label} tumour {_MEANING[self]}"

    @classmethod
    def most_probable(cls, chances: Sequence[float]) -> HER2Score:
        """The score with the largest of four probabilities; on an exact tie the lower one."""
        return cls(chances.index(max(chances)))

    @classmethod
    def from_label(cls, text: str) -> HER2Score:
        """Read "0", "1+", "2+", "3+" (also "1", "class_2+").

        Raises:
            ValueError: the text names no score; there is no default class.
        """
        key = text.strip().removeprefix("class_").removesuffix("+")
        try:
            return cls(int(key))
        except ValueError:
            raise ValueError(f"'{text}' is not a HER2 score; use 0, 1+, 2+ or 3+.") from None


_KEYS = {
    HER2Score.ZERO: "0",
    HER2Score.ONE_PLUS: "1+",
    HER2Score.TWO_PLUS: "2+",
    HER2Score.THREE_PLUS: "3+",
}
_STATUS = {
    HER2Score.ZERO: "negative",
    HER2Score.ONE_PLUS: "negative (HER2-low)",
    HER2Score.TWO_PLUS: "equivocal",
    HER2Score.THREE_PLUS: "positive",
}
_MEANING = {
    HER2Score.ZERO: "is HER2-negative and not HER2-low; faint staining in up to "
    f"{RULE_TEXT} of cells is studied as HER2-ultralow.",
    HER2Score.ONE_PLUS: "is HER2-negative and counts as HER2-low.",
    HER2Score.TWO_PLUS: "is equivocal: reflex ISH decides; not amplified means HER2-low.",
    HER2Score.THREE_PLUS: "is HER2-positive.",
}

CLASS_KEYS: tuple[str, ...] = tuple(score.key for score in HER2Score)
CLASS_LABELS: tuple[str, ...] = tuple(score.label for score in HER2Score)
LABELS_TEXT = f"{', '.join(CLASS_LABELS[:-1])} or {CLASS_LABELS[-1]}"


def grade_gap(first: HER2Score, second: HER2Score) -> int:
    """Number of grades (0 to 3) between two scores."""
    return abs(int(first) - int(second))


def passes_rule(share: float, limit: float = RULE_SHARE) -> bool:
    """Whether a share of cells or patches, in [0, 1], is more than the guideline's share.

    A share of exactly the limit does not pass, however its parts were rounded when added.
    """
    return share > limit + 1e-9


def score_of_cells(
    faint: float, moderate: float, intense: float, limit: float = RULE_SHARE, noise: float = 0.0
) -> HER2Score:
    """The ASCO/CAP score of shares of cells, each in [0, 1].

    Args:
        faint: with faint or incomplete membrane staining.
        moderate: weak to moderate and complete.
        intense: intense and complete.
        limit: more than this share decides.
        noise: intense staining of this share or less is not believed.
    """
    if passes_rule(intense, limit):
        return HER2Score.THREE_PLUS
    if passes_rule(moderate + intense, limit) or intense > noise:
        return HER2Score.TWO_PLUS
    if passes_rule(faint + moderate + intense, limit):
        return HER2Score.ONE_PLUS
    return HER2Score.ZERO


def highest_reached(patches: Sequence[HER2Score]) -> HER2Score:
    """The score of a core, slide or patient: the highest that more than the rule's share reach.

    Raises:
        ValueError: there is no patch; a core without tissue has no score.
    """
    if not patches:
        raise ValueError("A core without tissue patches has no score.")
    return max(
        score
        for score in HER2Score
        if score == HER2Score.ZERO
        or passes_rule(sum(one >= score for one in patches) / len(patches))
    )
