"""The database side of a study: all rows as records, and records as new rows.

Works inside the caller's transaction: what is not committed was never there.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.preprocessing.patches import Square
from her2core.reviews import cases, queries, stain_rows, writing
from her2core.reviews.schema import (
    PatchRow,
    ReviewRow,
    ReviewVerdictRow,
    StainReadingRow,
    VerdictRow,
)
from her2core.reviews.study import (
    Imported,
    Study,
    StudyEntry,
    StudyReading,
    StudyStain,
    refuse_broken,
    refuse_conflicts,
)


def read_study(session: Session) -> Study:
    """Everything the store holds, as one transaction sees it."""
    tokens = {row.id: row.token for row in session.execute(select(ReviewRow.id, ReviewRow.token))}
    patches = list(session.scalars(select(PatchRow).order_by(PatchRow.id)))
    # a patch is gone only where somebody tampered
    sha256 = defaultdict(str, {row.id: row.sha256 for row in patches})
    readings = list(session.scalars(select(VerdictRow).order_by(VerdictRow.id)))
    places = _places(session, readings)
    stains = session.scalars(select(StainReadingRow).order_by(StainReadingRow.id))
    return Study(
        patches=tuple(queries.to_patch(row) for row in patches),
        readings=tuple(
            StudyReading(sha256[row.patch_id], astuple(row.square), queries.to_verdict(row))
            for row in readings
        ),
        stains=tuple(
            StudyStain(sha256[row.patch_id], astuple(row.square), stain_rows.raw_facts(row))
            for row in stains
        ),
        entries=tuple(
            StudyEntry(
                **vars(entry),
                readings=tuple(
                    places[entry.id, verdict.architecture, verdict.model_id]
                    for verdict in entry.facts.verdicts
                ),
                token=tokens.get(entry.id),
            )
            for entry in queries.chain_entries(session)
        ),
        head=queries.chain_head(session),
    )


def adopt_study(session: Session, study: Study) -> Imported:
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
        stain_rows.row_of(session, patch_row.id, Square(*stain.square), stain.facts)
    added = study.entries[len(ours.entries) :]
    for entry in added:
        readings = [rows[place] for place in entry.readings]
        writing.add_entry(session, entry, entry.token, readings)
    session.expire_all()  # so that rows come from the database, not from memory
    refuse_broken(
        "The study's review log would not be intact here:",
        queries.chain_entries(session),
        queries.chain_head(session),
    )
    return Imported(len(new), len(added))


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
