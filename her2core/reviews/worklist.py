"""The order in which a reviewer meets the patches, and which one comes next. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from her2core.models.verdict import Verdict
from her2core.reviews.records import WorklistItem
from her2core.scores import grade_gap
from her2core.stain.reading import StainReading

Order = Literal["arrival", "doubt", "name"]

# from here on readers contradict each other rather than draw a line differently
FAR_APART = 2


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


def ordered(
    items: Sequence[WorklistItem], order: Order, *, blind: bool = False
) -> list[WorklistItem]:
    """The items in the order asked for, whether reviewed or not.

    Args:
        items: a reviewer's worklist.
        order: "arrival": first come first; "doubt": see `_certainty`, patches without a verdict
            last; "name": as people sort file names.
        blind: verdicts are hidden until a patch is reviewed. By doubt the patches still to be
            reviewed then come first, by arrival: their place would tell what is hidden.
    """
    by_arrival = sorted(items, key=lambda item: (item.patch.received_at, item.patch.sha256))
    if order == "doubt" and blind:
        reviewed = [item for item in by_arrival if item.review_id is not None]
        waiting = [item for item in by_arrival if item.review_id is None]
        return [*waiting, *sorted(reviewed, key=_certainty)]
    if order == "doubt":
        return sorted(by_arrival, key=_certainty)
    if order == "name":
        return sorted(by_arrival, key=lambda item: _natural(item.patch.name))
    return by_arrival


def next_unreviewed(items: Sequence[WorklistItem], sha256: str | None) -> str | None:
    """The first unreviewed patch after `sha256`, going round at the end.

    Returns:
        Its sha256, or None when all other patches are reviewed.
    """
    keys = [item.patch.sha256 for item in items]
    start = keys.index(sha256) + 1 if sha256 in keys else 0
    round_trip = [*items[start:], *items[:start]]
    return next(
        (
            item.patch.sha256
            for item in round_trip
            if item.review_id is None and item.patch.sha256 != sha256
        ),
        None,
    )


def _certainty(item: WorklistItem) -> tuple[bool, bool, bool, int, float]:
    """Sorts the most doubtful first.

    Three readers two grades or more apart, then patches unlike what the models know, then the
    widest gap between the models, then the highest entropy.
    """
    gap = model_gap(item.verdicts)
    apart = reader_gap(item.verdicts, item.stain) or 0
    return (
        not item.verdicts,
        apart < FAR_APART,
        not unfamiliar(item.verdicts),
        -gap if gap is not None else 1,
        -entropy(item.verdicts),
    )


def _bits(probabilities: Sequence[float]) -> float:
    return -sum(p * math.log2(p) for p in probabilities if p > 0)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Digits compare as numbers, so that patch 10 comes after patch 9."""
    parts: list[tuple[int, int, str]] = []
    digits = ""
    for char in [*name.casefold(), ""]:
        if char.isdecimal():
            digits += char
            continue
        if digits:
            parts.append((0, int(digits), digits))
            digits = ""
        if char:
            parts.append((1, 0, char))
    return parts
