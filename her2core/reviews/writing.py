"""Writing the store: what becomes of a draft inside the transaction that holds the write lock."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews import corrections, queries, stain_rows, validation
from her2core.reviews.answer import answer_of, values_of
from her2core.reviews.chain import ChainEntry, EntryFacts, entry_hash
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
    verdicts = tuple(map(_plain, draft.verdicts))
    facts = EntryFacts(
        patch_sha256=patch.sha256,
        square=(int(draft.square.x), int(draft.square.y), int(draft.square.size)),
        reviewer=reviewer.name,
        **values_of(draft),
        seconds=stain_rows.plain_float(draft.seconds),
        blind=bool(draft.blind),
        supersedes=draft.supersedes,
        recorded_at=utc_text(recorded_at),
        verdicts=tuple(
            queries.verdict_facts(verdict, draft.agrees.get(verdict.architecture))
            for verdict in verdicts
        ),
        stain=None if draft.stain is None else stain_rows.facts_of(draft.stain),
    )
    entry = ChainEntry(head.last_id + 1, facts, head.last_hash, entry_hash(facts, head.last_hash))
    # exactly what the reviewer saw, not a reading that is merely close to it
    readings = [verdict_row(session, patch.id, draft.square, one, 0.0) for one in verdicts]
    add_entry(session, entry, token, readings)
    return entry.id


def add_entry(
    session: Session, entry: ChainEntry, token: str | None, readings: Sequence[VerdictRow]
) -> None:
    """Put an entry at the end of the log.

    Args:
        session: of the transaction.
        entry: with the number and hash that follow the end.
        token: the client's own number of the answer.
        readings: the rows of its verdicts, in their order.
    """
    facts, square = entry.facts, Square(*entry.facts.square)
    patch = known_patch(session, facts.patch_sha256)
    session.add(
        ReviewRow(
            id=entry.id,
            token=token,
            patch_id=patch.id,
            square=square,
            reviewer_id=reviewer_row(session, facts.reviewer).id,
            **values_of(facts),
            seconds=facts.seconds,
            blind=facts.blind,
            supersedes=facts.supersedes,
            recorded_at=datetime.fromisoformat(facts.recorded_at),
            previous_hash=entry.previous_hash,
            entry_hash=entry.entry_hash,
        )
    )
    session.flush()
    for verdict, row in zip(facts.verdicts, readings, strict=True):
        session.add(ReviewVerdictRow(review_id=entry.id, verdict_id=row.id, agrees=verdict.agrees))
    if facts.stain is not None:
        measured = stain_rows.row_of(session, patch.id, square, facts.stain)
        session.add(ReviewStainRow(review_id=entry.id, stain_reading_id=measured.id))
    head = locked_head(session)
    head.last_id, head.last_hash = entry.id, entry.entry_hash
    session.flush()


def verdict_row(
    session: Session, patch_id: int, square: Square, verdict: Verdict, tolerance: float
) -> VerdictRow:
    """The recorded reading equal to this verdict within the tolerance, made where there is none.

    Without a tolerance it must have come from the same backend too.
    """
    verdict = _plain(verdict)
    known = session.scalars(
        select(VerdictRow)
        .where(
            VerdictRow.patch_id == patch_id,
            VerdictRow.square == square,
            VerdictRow.model_id == verdict.model_id,
        )
        .order_by(VerdictRow.reading.desc())  # the last one first: it is the one most likely meant
    ).all()
    for row in known:
        if _is_same(queries.to_verdict(row), verdict, tolerance):
            return row
    values = {**vars(verdict), "backend": verdict.backend or None}
    row = VerdictRow(patch_id=patch_id, square=square, reading=len(known) + 1, **values)
    session.add(row)
    session.flush()
    return row


def _is_same(known: Verdict, new: Verdict, tolerance: float) -> bool:
    pairs = zip(known.probabilities, new.probabilities, strict=True)
    return (
        (known.architecture, known.demo, known.score) == (new.architecture, new.demo, new.score)
        and max(abs(a - b) for a, b in pairs) <= tolerance
        and _same_novelty(known.novelty, new.novelty, tolerance)
        and (tolerance > 0 or known.backend == new.backend)
    )


def _same_novelty(known: float | None, new: float | None, tolerance: float) -> bool:
    """A distance in a thousand dimensions carries fewer digits than a probability."""
    if known is None or new is None:
        return known is new
    return abs(known - new) <= 100 * tolerance * max(1.0, abs(known))


def _plain(verdict: Verdict) -> Verdict:
    """The same in plain Python numbers, as the database holds them."""
    first, second, third, fourth = map(stain_rows.plain_float, verdict.probabilities)
    return replace(
        verdict,
        probabilities=(first, second, third, fourth),
        demo=bool(verdict.demo),
        novelty=None if verdict.novelty is None else stain_rows.plain_float(verdict.novelty),
    )


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
