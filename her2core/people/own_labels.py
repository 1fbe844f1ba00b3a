"""Reviewed patches as labels: which scores count, and which stay out. Pure functions.

A double read counts by the score it ended with; while it is sealed, or its readers disagree and
nobody has decided, it counts not at all. Other patches count by the score all their readers gave.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from her2core.preprocessing.image_store import Images
from her2core.preprocessing.patches import Patch, Square
from her2core.reviews.double_reads import Plan
from her2core.reviews.records import Review
from her2core.scores import HER2Score
from her2core.training.own_patches import AdaptError, OwnPatch


@dataclass(frozen=True)
class ReviewedPatch:
    """A patch with the score that counts; `square` is what its last reader looked at.

    `case` is its slide or case, empty where it is not known.
    """

    sha256: str
    name: str
    square: Square
    score: HER2Score
    case: str = ""


def reviewed_patches(
    reviews: Iterable[Review], plan: Plan, *, blind_only: bool = False
) -> tuple[list[ReviewedPatch], int]:
    """The patches whose score is settled, in the order of their first review.

    Args:
        reviews: of the log, in any order; corrected ones count no more, scores of whole slides and
            cores not at all.
        plan: the double reads.
        blind_only: leave out reviews made while looking at the verdicts.

    Returns:
        The patches, and the number of others: undecided double reads, and patches to which
        readers gave different scores.
    """
    by_patch: dict[str, list[Review]] = defaultdict(list)
    current = (
        review
        for review in reviews
        if review.superseded_by is None
        and (review.blind or not blind_only)
        and not (review.patch.origin and review.patch.origin.whole)
    )
    for review in sorted(current, key=lambda review: review.id):
        by_patch[review.patch.sha256].append(review)
    settled = []
    for sha256, own in by_patch.items():
        read = plan.double_reads.get(sha256)
        if read is not None:
            score = read.score
        else:
            scores = {review.own_score for review in own}
            score = scores.pop() if len(scores) == 1 else None
        if score is not None:
            last = own[-1]
            settled.append(
                ReviewedPatch(sha256, last.patch.name, last.square, score, last.patch.slide_or_case)
            )
    return settled, len(by_patch) - len(settled)


def own_patches(
    reviewed: Iterable[ReviewedPatch], images: Images, group_pattern: str = ""
) -> list[OwnPatch]:
    """The same to fit a bundle to.

    Args:
        reviewed: see `reviewed_patches`.
        images: where their pictures are.
        group_pattern: regular expression with one group, which finds slide or case in the name of
            a file of which it is not known; "" or no match: it stays unknown.

    Raises:
        AdaptError: the pattern is none.
    """
    try:
        pattern = re.compile(group_pattern)
    except re.error as error:
        raise AdaptError(f"The group pattern “{group_pattern}” is not valid: {error}.") from None
    if group_pattern and pattern.groups != 1:
        raise AdaptError(f"The group pattern “{group_pattern}” needs exactly one capture group.")

    def group(name: str) -> str:
        match = pattern.search(name) if group_pattern else None
        return "" if match is None else match[1] or ""

    def own(patch: ReviewedPatch) -> OwnPatch:
        def load() -> Patch:
            return images.load(patch.sha256, patch.name).with_square(patch.square)

        return OwnPatch(load, patch.score, patch.case or group(patch.name))

    return [own(patch) for patch in reviewed]
