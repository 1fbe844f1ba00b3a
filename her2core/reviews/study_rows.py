"""The database side of a study: all rows as records, and records as new rows.

Works inside the caller's transaction: what is not committed was never there.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.preprocessing.patches import Square
from her2core.reviews import cases, queries, stain_rows, writing
from her2core.reviews.answer import values_of
from her2core.reviews.schema import (
    PatchRow,
    ReviewRow,
    ReviewStainRow,
    ReviewVerdictRow,
    StainReadingRow,
    VerdictRow,
)
from her2core.reviews.study import (
    Adopted,
    Study,
    StudyEntry,
    StudyReading,
    StudyStain,
    refuse_broken,
    refuse_conflicts,
    stain_reading,
)


def read_study(session: Session) -> Study:
    """Everything the store holds, as one transaction sees it."""
    tokens = {row.id: row.token for row in session.execute(select(ReviewRow.id, ReviewRow.token))}
    patches = list(session.scalars(select(PatchRow).order_by(PatchRow.id)))
    sha256 = {row.id: row.sha256 for row in patches}
    readings = list(session.scalars(select(VerdictRow).order_by(VerdictRow.id)))
    places = _places(session, readings)
    stains = session.scalars(select(StainReadingRow).order_by(StainReadingRow.id))
    return Study(
        patches=tuple(queries.to_patch(row) for row in patches),
        readings=tuple(_reading(row, sha256.get(row.patch_id, "")) for row in readings),
        stains=tuple(
            StudyStain(
                sha256.get(row.patch_id, ""),  # gone only where somebody tampered
                (row.square_x, row.square_y, row.square_size),
                stain_rows.raw_facts(row),
            )
            for row in stains
        ),
        entries=tuple(
            StudyEntry(
                id=entry.id,
                facts=entry.facts,
                readings=tuple(
                    places[entry.id, verdict.architecture, verdict.model_id]
                    for verdict in entry.facts.verdicts
                ),
                previous_hash=entry.previous_hash,
                entry_hash=entry.entry_hash,
                token=tokens.get(entry.id),
            )
            for entry in queries.chain_entries(session)
        ),
        head=queries.chain_head(session),
    )


def adopt_study(session: Session, study: Study) -> Adopted:
    """Add what is new in a checked study; the write lock is held.

    Entries keep their numbers, times and hashes, so that the chain goes on unbroken. A patch
    already known keeps the name under which it came here first. What was added is read back and
    checked before anything is committed: a chain once broken is broken for good.

    Raises:
        StudyError: it contradicts what is here, or would not come back as it was hashed.
    """
    ours = read_study(session)
    refuse_conflicts(ours, study)
    known = {patch.sha256 for patch in ours.patches}
    new = [patch for patch in study.patches if patch.sha256 not in known]
    for patch in new:
        session.add(writing.new_patch_row(patch))
        session.flush()  # one at a time: ids follow the order of arrival
        cases.note(session, patch.sha256, patch.case, patch.label)
    rows: list[VerdictRow] = []
    for reading in study.readings:
        patch_row = writing.known_patch(session, reading.patch_sha256)
        square, verdict = Square(*reading.square), reading.verdict
        rows.append(writing.verdict_row(session, patch_row.id, square, verdict, 0.0))
    for stain in study.stains:
        patch_row = writing.known_patch(session, stain.patch_sha256)
        square, measured = Square(*stain.square), stain_reading(stain.facts)
        stain_rows.row_of(session, patch_row.id, square, measured)
    added = study.entries[len(ours.entries) :]
    for entry in added:
        _append(session, entry, [rows[place] for place in entry.readings])
    if added:
        head = writing.locked_head(session)
        head.last_id, head.last_hash = added[-1].id, added[-1].entry_hash
    session.flush()
    session.expire_all()  # so that rows come from the database, not from memory
    refuse_broken(
        "The study's review log would not be intact here:",
        queries.chain_entries(session),
        queries.chain_head(session),
    )
    return Adopted(len(new), len(added))


def _append(session: Session, entry: StudyEntry, readings: Sequence[VerdictRow]) -> None:
    facts = entry.facts
    patch = writing.known_patch(session, facts.patch_sha256)
    square = Square(*facts.square)
    session.add(
        ReviewRow(
            id=entry.id,
            token=entry.token,
            patch_id=patch.id,
            square_x=square.x,
            square_y=square.y,
            square_size=square.size,
            reviewer_id=writing.reviewer_row(session, facts.reviewer).id,
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
        measured = stain_rows.row_of(session, patch.id, square, stain_reading(facts.stain))
        session.add(ReviewStainRow(review_id=entry.id, stain_reading_id=measured.id))
    session.flush()


def _places(session: Session, readings: Sequence[VerdictRow]) -> dict[tuple[int, str, str], int]:
    """(entry, architecture, model) -> place of that reading among all."""
    place = {row.id: number for number, row in enumerate(readings)}
    return {
        (
            link.review_id,
            readings[place[link.verdict_id]].architecture,
            readings[place[link.verdict_id]].model_id,
        ): place[link.verdict_id]
        for link in session.scalars(select(ReviewVerdictRow))
        if link.verdict_id in place
    }


def _reading(row: VerdictRow, sha256: str) -> StudyReading:
    square = (row.square_x, row.square_y, row.square_size)
    return StudyReading(sha256, square, queries.to_verdict(row))
