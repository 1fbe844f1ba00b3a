"""Writing the store: what becomes of a draft inside the transaction that holds the write lock."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews import corrections, queries, stain_rows, validation
from her2core.reviews.answer import answer_of, values_of
from her2core.reviews.chain import EntryFacts, VerdictFacts, entry_hash
from her2core.reviews.errors import ReviewRefusedError, StoreError
from her2core.reviews.records import PatchRecord, Review, ReviewDraft
from her2core.reviews.schema import (
    HEAD_ID,
    LogHeadRow,
    PatchRow,
    ReviewerRow,
    ReviewRow,
    ReviewStainRow,
    ReviewVerdictRow,
    VerdictRow,
    utc_text,
)


def append_review(
    session: Session,
    draft: ReviewDraft,
    token: str | None,
    recorded_at: datetime,
) -> int:
    """Check the draft against the log and append it.

    Returns:
        The number of the new entry.

    Raises:
        ReviewRefusedError: the patch is unknown, the square leaves it, or the entry to be
            corrected cannot be.
    """
    patch = known_patch(session, draft.patch_sha256)
    validation.check_square(draft.square, queries.to_patch(patch))
    reviewer = reviewer_row(session, validation.reviewer_name(draft.reviewer))
    corrections.check_supersedes(session, draft, patch.id, reviewer.id)
    head = locked_head(session)
    facts = _facts(draft, patch.sha256, reviewer.name, recorded_at)
    row = ReviewRow(
        id=head.last_id + 1,
        token=token,
        patch_id=patch.id,
        square_x=facts.square[0],
        square_y=facts.square[1],
        square_size=facts.square[2],
        reviewer_id=reviewer.id,
        **values_of(facts),
        seconds=facts.seconds,
        blind=facts.blind,
        supersedes=facts.supersedes,
        recorded_at=recorded_at,
        previous_hash=head.last_hash,
        entry_hash=entry_hash(facts, head.last_hash),
    )
    session.add(row)
    session.flush()
    for verdict in draft.verdicts:
        # exactly what the reviewer saw, not a reading that is merely close to it
        seen = verdict_row(session, patch.id, draft.square, verdict, 0.0)
        answer = draft.agrees.get(verdict.architecture)
        session.add(ReviewVerdictRow(review_id=row.id, verdict_id=seen.id, agrees=answer))
    if draft.stain is not None:
        measured = stain_rows.row_of(session, patch.id, draft.square, draft.stain)
        session.add(ReviewStainRow(review_id=row.id, stain_reading_id=measured.id))
    head.last_id, head.last_hash = row.id, row.entry_hash
    session.flush()
    return row.id


def _facts(draft: ReviewDraft, sha256: str, reviewer: str, recorded_at: datetime) -> EntryFacts:
    return EntryFacts(
        patch_sha256=sha256,
        square=(int(draft.square.x), int(draft.square.y), int(draft.square.size)),
        reviewer=reviewer,
        **values_of(draft),
        seconds=stain_rows.plain_float(draft.seconds),
        blind=bool(draft.blind),
        supersedes=draft.supersedes,
        recorded_at=utc_text(recorded_at),
        verdicts=tuple(
            VerdictFacts(
                verdict.architecture,
                verdict.model_id,
                _floats(verdict),
                bool(verdict.demo),
                draft.agrees.get(verdict.architecture),
                _novelty(verdict),
            )
            for verdict in draft.verdicts
        ),
        stain=None if draft.stain is None else stain_rows.facts_of(draft.stain),
    )


def verdict_row(
    session: Session, patch_id: int, square: Square, verdict: Verdict, tolerance: float
) -> VerdictRow:
    """The recorded reading equal to this verdict within the tolerance, made where there is none.

    Without a tolerance it must have come from the same backend too.
    """
    values = _floats(verdict)
    same_input = (
        VerdictRow.patch_id == patch_id,
        VerdictRow.square_x == square.x,
        VerdictRow.square_y == square.y,
        VerdictRow.square_size == square.size,
        VerdictRow.model_id == verdict.model_id,
    )
    # the last reading first: it is the one most likely meant
    for row in session.scalars(
        select(VerdictRow).where(*same_input).order_by(VerdictRow.reading.desc())
    ):
        known = queries.to_verdict(row)
        if (
            known.score == verdict.score
            and (known.architecture, known.demo) == (verdict.architecture, verdict.demo)
            and max(abs(a - b) for a, b in zip(known.probabilities, values, strict=True))
            <= tolerance
            and _same_novelty(known.novelty, verdict.novelty, tolerance)
            and (tolerance > 0 or known.backend == verdict.backend)
        ):
            return row
    readings = session.scalar(select(func.count()).select_from(VerdictRow).where(*same_input))
    row = VerdictRow(
        patch_id=patch_id,
        square_x=int(square.x),
        square_y=int(square.y),
        square_size=int(square.size),
        architecture=verdict.architecture,
        model_id=verdict.model_id,
        reading=(readings or 0) + 1,
        p_0=values[0],
        p_1plus=values[1],
        p_2plus=values[2],
        p_3plus=values[3],
        demo=bool(verdict.demo),
        novelty=_novelty(verdict),
        backend=verdict.backend or None,
    )
    session.add(row)
    session.flush()
    return row


def _same_novelty(known: float | None, new: float | None, tolerance: float) -> bool:
    """A distance in a thousand dimensions carries fewer digits than a probability."""
    if known is None or new is None:
        return known is new
    return abs(known - new) <= 100 * tolerance * max(1.0, abs(known))


def _floats(verdict: Verdict) -> tuple[float, float, float, float]:
    """The probabilities as the database holds them."""
    first, second, third, fourth = map(stain_rows.plain_float, verdict.probabilities)
    return (first, second, third, fourth)


def _novelty(verdict: Verdict) -> float | None:
    return None if verdict.novelty is None else stain_rows.plain_float(verdict.novelty)


def locked_head(session: Session) -> LogHeadRow:
    """The end of the log, locked (on SQLite the transaction itself is the lock).

    Raises:
        StoreError: the row is gone.
    """
    head = session.scalar(select(LogHeadRow).where(LogHeadRow.id == HEAD_ID).with_for_update())
    if head is None:
        raise StoreError(
            "The review log does not say where it ends, so nothing can be added to it; "
            "restore it from a backup."
        )
    return head


def find_patch(session: Session, sha256: str) -> PatchRow | None:
    """The row of a patch, if known."""
    return session.scalar(select(PatchRow).where(PatchRow.sha256 == sha256))


def known_patch(session: Session, sha256: str) -> PatchRow:
    """The row of a patch.

    Raises:
        ReviewRefusedError: it is unknown.
    """
    row = find_patch(session, sha256)
    if row is None:
        raise ReviewRefusedError("The patch is not known to the review log; upload it again.")
    return row


def new_patch_row(patch: PatchRecord) -> PatchRow:
    """The row of a patch that is not known yet."""
    return PatchRow(
        sha256=patch.sha256,
        name=patch.name,
        width=int(patch.width),
        height=int(patch.height),
        received_at=patch.received_at,
        warnings=list(patch.warnings),
        origin=None if patch.origin is None else asdict(patch.origin),
    )


def reviewer_row(session: Session, name: str) -> ReviewerRow:
    """The row of a reviewer, made where there is none."""
    row = session.scalar(select(ReviewerRow).where(ReviewerRow.name == name))
    if row is None:
        row = ReviewerRow(name=name)
        session.add(row)
        session.flush()
    return row


def same_answer(earlier: Review, draft: ReviewDraft) -> Review:
    """The review recorded under a token, if it is this answer (the seconds may have run on).

    Raises:
        ReviewRefusedError: the token was used for another answer.
    """
    recorded = (
        earlier.patch.sha256,
        earlier.square,
        earlier.reviewer,
        answer_of(earlier),
        earlier.blind,
        earlier.supersedes,
        dict(earlier.agrees),
    )
    answered: Sequence[object] = (
        draft.patch_sha256,
        draft.square,
        validation.reviewer_name(draft.reviewer),
        answer_of(draft),
        draft.blind,
        draft.supersedes,
        {v.architecture: draft.agrees.get(v.architecture) for v in draft.verdicts},
    )
    if recorded != answered:
        raise ReviewRefusedError(
            f"This answer was already saved as review {earlier.id} with other content; "
            "open that review and correct it."
        )
    return earlier
