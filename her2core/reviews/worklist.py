"""What the order of the worklist goes by: doubt, names as people sort them. Pure functions.

`worklist_queries` asks the database for patches in that order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from her2core.models.verdict import Verdict
from her2core.scores import HER2Score, grade_gap
from her2core.stain.reading import StainReading

Order = Literal["arrival", "doubt", "name"]

# from here on readers contradict each other rather than draw a line differently
FAR_APART = 2
# how far the models in use have read a patch: all that is shown is theirs; an earlier model said
# what one of them has not said yet; nothing was read
READY, EARLIER, WAITING = 0, 1, 2
_GAPS = len(HER2Score) + 1  # 3 to 0 grades, and no gap without two verdicts
# after every patch with a verdict
UNREAD = 4 * _GAPS
_NUMBERS = re.compile(r"(\d+)")
# of a name; an index takes no longer keys
_KEYED = 300


def model_gap(verdicts: Sequence[Verdict]) -> int | None:
    """Grades (0 to 3) between the lowest and the highest verdict; None with fewer than two."""
    if len(verdicts) < 2:
        return None
    scores = [verdict.score for verdict in verdicts]
    return grade_gap(min(scores), max(scores))


def reader_gap(verdicts: Sequence[Verdict], stain: StainReading | None) -> int | None:
    """Grades (0 to 3) between the lowest and the highest reader, the stain measurement among them.

    None with fewer than two scores; a measurement without a score counts for nothing.
    """
    scores = [verdict.score for verdict in verdicts]
    if stain is not None and stain.score is not None:
        scores.append(stain.score)
    return grade_gap(min(scores), max(scores)) if len(scores) > 1 else None


def unfamiliar(verdicts: Sequence[Verdict]) -> bool:
    """Whether the patch is unlike what a model knows, so that its verdict is not to be trusted."""
    return any(verdict.unfamiliar for verdict in verdicts)


def entropy(verdicts: Sequence[Verdict]) -> float:
    """Mean Shannon entropy of the verdicts in bits, in [0, 2]; 0 without a verdict."""
    if not verdicts:
        return 0.0
    return sum(_bits(verdict.probabilities) for verdict in verdicts) / len(verdicts)


def doubt(verdicts: Sequence[Verdict], stain: StainReading | None) -> tuple[int, float]:
    """Two numbers that sort the most doubtful patch first.

    First three readers two grades or more apart, then patches unlike what the models know, then the
    widest gap between the models, then the highest entropy; without a verdict `UNREAD`.
    """
    if not verdicts:
        return UNREAD, 0.0
    gap = model_gap(verdicts)
    near = (reader_gap(verdicts, stain) or 0) < FAR_APART
    narrow = len(HER2Score) if gap is None else len(HER2Score) - 1 - gap
    return (2 * near + (not unfamiliar(verdicts))) * _GAPS + narrow, -entropy(verdicts)


def name_key(name: str) -> str:
    """A text that sorts, character by character, as people sort file names: 9 before 10.

    A number is spelled with the count of its digits before it, and sorts before any other
    character.
    """
    parts: list[str] = []
    for text in _NUMBERS.split(name.casefold()[:_KEYED]):
        if text.isdecimal():
            # without leading zeros, but of equal numbers the one with more zeros comes first
            digits = str(int(text))
            parts.append(f"0{len(digits):04}{digits}{text}!")
        else:
            parts += [f"1{char}" for char in text]
    return "".join(parts)


def _bits(probabilities: Sequence[float]) -> float:
    return -sum(p * math.log2(p) for p in probabilities if p > 0)
