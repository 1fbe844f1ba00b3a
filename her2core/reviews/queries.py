"""Reading the store: rows into records. Every function works inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple
from typing import TypeVar

from sqlalchemy import ColumnElement, Row, Select, String, select, type_coerce
from sqlalchemy.orm import Session, aliased

from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews import answer, latest, stain_rows
from her2core.reviews.chain import ChainEntry, ChainHead, EntryFacts, VerdictFacts
from her2core.reviews.errors import ReviewNotFoundError
from her2core.reviews.records import Origin, PatchRecord, Review, WorklistItem
from her2core.reviews.schema import (
    HEAD_ID,
    LogHeadRow,
    PatchRow,
    ReviewerRow,
    ReviewRow,
    ReviewStainRow,
    ReviewVerdictRow,
    StainReadingRow,
    VerdictRow,
)
from her2core.scores import HER2Score
from her2core.stain.reading import StainReading

# an SQL statement takes no more names than this in every database
_AT_ONCE = 500
_Successor = aliased(ReviewRow)
_Loaded = Row[ReviewRow, PatchRow, str, int | None]
_Answered = tuple[VerdictRow, bool | None]
_Kept = TypeVar("_Kept", VerdictRow, StainReadingRow)


def reviews_where(session: Session, *conditions: ColumnElement[bool]) -> list[Review]:
    """Reviews that meet the conditions on ReviewRow, newest first; a few hundred at most."""
    rows = session.execute(
        select(ReviewRow, PatchRow, ReviewerRow.name, _Successor.id)
        .join(PatchRow, ReviewRow.patch_id == PatchRow.id)
        .join(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
        .outerjoin(_Successor, _Successor.supersedes == ReviewRow.id)
        .where(*conditions)
        .order_by(ReviewRow.id.desc())
    ).all()
    answers, measured = read_in(session, [row[0].id for row in rows])
    return [_review(row, answers[row[0].id], measured.get(row[0].id)) for row in rows]


def read_in(
    session: Session, entries: Select[int] | Collection[int]
) -> tuple[defaultdict[int, list[_Answered]], dict[int, StainReadingRow]]:
    """Number of an entry -> its verdicts, each with the answer to it; and its stain reading."""
    answers: defaultdict[int, list[_Answered]] = defaultdict(list)
    for review_id, verdict, agrees in session.execute(
        select(ReviewVerdictRow.review_id, VerdictRow, ReviewVerdictRow.agrees)
        .join(VerdictRow, ReviewVerdictRow.verdict_id == VerdictRow.id)
        .where(ReviewVerdictRow.review_id.in_(entries))
        .order_by(VerdictRow.architecture, VerdictRow.id)
    ):
        answers[review_id].append((verdict, agrees))
    measured = session.execute(
        select(ReviewStainRow.review_id, StainReadingRow)
        .join(StainReadingRow, ReviewStainRow.stain_reading_id == StainReadingRow.id)
        .where(ReviewStainRow.review_id.in_(entries))
    )
    return answers, dict(measured.all())


def review_with_id(session: Session, review_id: int) -> Review:
    """One review.

    Raises:
        ReviewNotFoundError: there is none with this number.
    """
    reviews = reviews_where(session, ReviewRow.id == review_id)
    if not reviews:
        raise ReviewNotFoundError(f"The review log has no entry {review_id}.")
    return reviews[0]


def current_reviews(
    session: Session, reviewer: str, *only: ColumnElement[bool]
) -> dict[int, tuple[int, HER2Score]]:
    """Patch id -> number and score of this reviewer's review that no later one corrects.

    One for a patch, whatever its square: of two, which older logs may hold, the newest.
    """
    later = aliased(ReviewRow)
    rows = session.execute(
        select(ReviewRow.patch_id, ReviewRow.id, ReviewRow.own_score)
        .join(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
        .where(
            ReviewerRow.name == reviewer,
            ~select(later.id).where(later.supersedes == ReviewRow.id).exists(),
            *only,
        )
        .order_by(ReviewRow.id)
    )
    return {patch_id: (review_id, HER2Score(score)) for patch_id, review_id, score in rows}


def by_patch(
    session: Session, kind: type[_Kept], patch_ids: Collection[int]
) -> defaultdict[int, list[_Kept]]:
    """What was read of each of these patches, oldest first."""
    kept: defaultdict[int, list[_Kept]] = defaultdict(list)
    for row in session.scalars(select(kind).where(kind.patch_id.in_(patch_ids)).order_by(kind.id)):
        kept[row.patch_id].append(row)
    return kept


def worklist_items(
    session: Session, patch_ids: Sequence[int], reviewer: str, models: Mapping[str, str]
) -> list[WorklistItem]:
    """These patches as this reviewer's worklist shows them, in the order given.

    Args:
        session: of the transaction.
        patch_ids: numbers of the patches.
        reviewer: whose worklist.
        models: architecture -> id of the model in use, see `latest`.
    """
    if len(patch_ids) > _AT_ONCE:
        return [
            item
            for part in in_parts(patch_ids)
            for item in worklist_items(session, part, reviewer, models)
        ]
    own = current_reviews(session, reviewer, ReviewRow.patch_id.in_(patch_ids))
    readings = by_patch(session, VerdictRow, patch_ids)
    measured = by_patch(session, StainReadingRow, patch_ids)
    items = {}
    for patch in session.scalars(select(PatchRow).where(PatchRow.id.in_(patch_ids))):
        counts = counting(patch, readings[patch.id], measured[patch.id], models)
        number = own[patch.id][0] if patch.id in own else None
        items[patch.id] = WorklistItem(to_patch(patch), counts[0], number, *counts[1:])
    return [items[patch_id] for patch_id in patch_ids]


def chain_entries(session: Session, after: int = 0, to: int = 2**31 - 1) -> list[ChainEntry]:
    """The log as raw facts, readable even where someone tampered with it.

    Args:
        session: of the transaction.
        after: number of an entry; those that follow it are read,
        to: and up to this one.
    """
    here = ReviewRow.id.between(after + 1, to)
    answers, measured = read_in(session, select(ReviewRow.id).where(here))
    rows = session.execute(
        select(
            ReviewRow.id,
            ReviewRow.square,
            *(getattr(ReviewRow, name) for name in answer.FIELDS),
            ReviewRow.seconds,
            ReviewRow.blind,
            ReviewRow.supersedes,
            type_coerce(ReviewRow.recorded_at, String).label("recorded_text"),
            ReviewRow.previous_hash,
            ReviewRow.entry_hash,
            PatchRow.sha256,
            ReviewerRow.name,
        )
        .outerjoin(PatchRow, ReviewRow.patch_id == PatchRow.id)
        .outerjoin(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
        .where(here)
        .order_by(ReviewRow.id)
    )
    return [
        ChainEntry(
            id=row.id,
            facts=EntryFacts(
                patch_sha256=row.sha256,
                square=astuple(row.square),
                reviewer=row.name,
                **answer.values_of(row),
                seconds=row.seconds,
                blind=row.blind,
                supersedes=row.supersedes,
                recorded_at=row.recorded_text,
                verdicts=tuple(verdict_facts(*answered) for answered in answers[row.id]),
                stain=stain_rows.raw_facts(measured[row.id]) if row.id in measured else None,
            ),
            previous_hash=row.previous_hash,
            entry_hash=row.entry_hash,
        )
        for row in rows
    ]


def counting(
    patch: PatchRow,
    readings: Sequence[VerdictRow],
    measured: Sequence[StainReadingRow],
    models: Mapping[str, str],
) -> tuple[tuple[Verdict, ...], StainReading | None, frozenset[str]]:
    """The verdicts and the stain reading of a patch that count now; see `latest`.

    Returns:
        Both, and the architectures with readings none of which counts now.
    """
    centred = Square.centred(patch.width, patch.height)
    shown = latest.latest(readings, models, centred)
    stain = latest.latest_stain(measured, shown, centred)
    return (
        tuple(map(to_verdict, shown)),
        None if stain is None else stain_rows.to_reading(stain),
        latest.earlier(readings, shown),
    )


def in_parts(ids: Sequence[int]) -> list[Sequence[int]]:
    """The numbers, as many at once as a statement may name."""
    return [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]


def chain_head(session: Session) -> ChainHead | None:
    """Where the log says it ends."""
    row = session.get(LogHeadRow, HEAD_ID)
    return None if row is None else ChainHead(row.last_id, row.last_hash)


def sha256_of(session: Session, patch_id: int) -> str:
    """The sha256 of a patch that is there."""
    return session.execute(select(PatchRow.sha256).where(PatchRow.id == patch_id)).scalar_one()


def to_patch(row: PatchRow) -> PatchRecord:
    """A patch row as record."""
    origin = None if row.origin is None else Origin(**row.origin)
    facts = (row.sha256, row.name, row.width, row.height, row.received_at)
    case, label = ("", None) if row.case is None else (row.case.name, row.case.label)
    of_case = (case, None if label is None else HER2Score(label))
    return PatchRecord(*facts, tuple(row.warnings), origin, *of_case)


def to_verdict(row: VerdictRow) -> Verdict:
    """A verdict row as the model gave it."""
    chances = row.probabilities
    return Verdict(
        row.architecture, row.model_id, chances, row.demo, row.novelty, row.backend or ""
    )


def verdict_facts(verdict: Verdict | VerdictRow, agrees: bool | None) -> VerdictFacts:
    """What an entry's hash covers of a verdict and the answer to it."""
    return VerdictFacts(
        verdict.architecture,
        verdict.model_id,
        verdict.probabilities,
        verdict.demo,
        agrees,
        verdict.novelty,
    )


def _review(
    row: _Loaded,
    answers: Sequence[_Answered],
    measured: StainReadingRow | None,
) -> Review:
    entry, patch, reviewer, superseded_by = row
    return Review(
        id=entry.id,
        recorded_at=entry.recorded_at,
        patch=to_patch(patch),
        square=entry.square,
        reviewer=reviewer,
        verdicts=tuple(to_verdict(verdict) for verdict, _ in answers),
        agrees={verdict.architecture: agrees for verdict, agrees in answers},
        **{**answer.values_of(entry), "own_score": HER2Score(entry.own_score)},
        seconds=entry.seconds,
        blind=entry.blind,
        supersedes=entry.supersedes,
        superseded_by=superseded_by,
        previous_hash=entry.previous_hash,
        entry_hash=entry.entry_hash,
        stain=None if measured is None else stain_rows.to_reading(measured),
    )
