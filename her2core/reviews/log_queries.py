"""Asking the database for a screenful of the log, newest first, and how many entries there are.

Every function works inside the caller's transaction. What a person may see is a part of the
question: conditions on `ReviewStateRow`, made by `her2core.people`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from her2core.reviews import queries
from her2core.reviews.records import Review, ReviewFilter
from her2core.reviews.schema import ReviewerRow, ReviewRow
from her2core.reviews.state_tables import ReviewStateRow

_State = ReviewStateRow

CURRENT = ReviewStateRow.superseded.is_(False)


def conditions(wanted: ReviewFilter) -> list[ColumnElement[bool]]:
    """What a row must meet to pass the filter.

    A review without verdicts neither agrees nor disagrees, and one with fewer than two has no gap.
    """
    needed: list[ColumnElement[bool]] = []
    if wanted.reviewers:
        names = ReviewerRow.name.in_(wanted.reviewers)
        needed.append(_State.reviewer_id.in_(select(ReviewerRow.id).where(names)))
    of_entry: list[ColumnElement[bool]] = []
    if wanted.scores:
        of_entry.append(ReviewRow.own_score.in_([int(score) for score in wanted.scores]))
    if wanted.since is not None:
        of_entry.append(ReviewRow.recorded_at >= wanted.since)
    if wanted.until is not None:
        of_entry.append(ReviewRow.recorded_at <= wanted.until)
    if of_entry:
        needed.append(_State.review_id.in_(select(ReviewRow.id).where(*of_entry)))
    if wanted.model_gap:
        needed.append(_State.gap.in_(wanted.model_gap))
    if wanted.agreement != "any":
        needed.append(_State.same.is_(wanted.agreement == "agrees"))
    if needle := wanted.text.strip().casefold():
        needed.append(_State.search.contains(needle, autoescape=True))
    if not wanted.include_superseded:
        needed.append(CURRENT)
    return needed


def count(session: Session, *only: ColumnElement[bool]) -> int:
    """How many entries meet the conditions."""
    return session.scalar(select(func.count()).select_from(_State).where(*only)) or 0


def numbers(
    session: Session,
    *only: ColumnElement[bool],
    limit: int | None = None,
    oldest_first: bool = False,
) -> list[int]:
    """The entries that meet the conditions, newest first unless told otherwise."""
    order = _State.review_id if oldest_first else _State.review_id.desc()
    return list(session.scalars(select(_State.review_id).where(*only).order_by(order).limit(limit)))


def patches(session: Session, *only: ColumnElement[bool]) -> list[int]:
    """Numbers of the patches that have an entry which meets the conditions."""
    return list(session.scalars(select(_State.patch_id).where(*only).distinct()))


def load(session: Session, entries: Sequence[int]) -> list[Review]:
    """These entries, newest first."""
    return [
        review
        for part in queries.in_parts(entries)
        for review in queries.reviews_where(session, ReviewRow.id.in_(part))
    ]
