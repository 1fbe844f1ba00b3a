"""What the worklist asks of a patch and the log of an entry, computed of their own rows alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from her2core.models.assessable import assess_tumour
from her2core.reviews import stain_rows, worklist
from her2core.reviews.assignment_plan import read_plan
from her2core.reviews.patch_names import look
from her2core.reviews.queries import by_patch, counting, read_in, to_patch, to_verdict
from her2core.reviews.schema import PatchRow, ReviewRow, StainReadingRow, VerdictRow
from her2core.reviews.worklist_filter import STAIN


def patch_rows(
    session: Session, ids: Collection[int], choices: Mapping[int, Mapping[str, str]]
) -> list[dict[str, Any]]:
    """The rows of `PatchStateRow` for these patches.

    Args:
        session: of the transaction.
        ids: of the patches.
        choices: number of a choice of models -> architecture -> id of the model in use.
    """
    readings = by_patch(session, VerdictRow, ids)
    measured = by_patch(session, StainReadingRow, ids)
    patches = session.scalars(select(PatchRow).where(PatchRow.id.in_(ids))).all()
    plan = read_plan(session, [patch.sha256 for patch in patches])
    made = []
    for patch in patches:
        if (patch.origin or {}).get("whole"):
            continue  # stands for a slide in the log, and is read by nobody
        read = plan.double_reads.get(patch.sha256)
        of_itself = {
            "patch_id": patch.id,
            "sha256": patch.sha256,
            "received_at": patch.received_at,
            "name_key": worklist.name_key(patch.name),
            "look": look(patch.name),
            "search": f"{patch.name}\n{patch.sha256}".casefold(),
            "case_name": to_patch(patch).slide_or_case.casefold(),
            "given": not plan.is_free(patch.sha256),
            "stage": None if read is None else read.stage,
        }
        for number, models in choices.items():
            facts = _facts(patch, readings[patch.id], measured[patch.id], models)
            made.append({"derived_id": number, **of_itself, **facts})
    return made


def _facts(
    patch: PatchRow,
    readings: Sequence[VerdictRow],
    measured: Sequence[StainReadingRow],
    models: Mapping[str, str],
) -> dict[str, Any]:
    """What follows from the readings that count now."""
    verdicts, stain, earlier = counting(patch, readings, measured, models)
    scores = {verdict.architecture: verdict.score for verdict in verdicts}
    if stain is not None and stain.score is not None:
        scores[STAIN] = stain.score
    doubt, certainty = worklist.doubt(verdicts, stain)
    readiness = worklist.READY if verdicts else worklist.WAITING
    if earlier:
        readiness = worklist.EARLIER
    side = min(patch.width, patch.height)
    return {
        "readiness": readiness,
        "unread": stain is None
        or not verdicts
        or bool(models.keys() - {verdict.architecture for verdict in verdicts}),
        "said": "".join(f" {reader}={score:d} " for reader, score in scores.items()),
        "gap": worklist.model_gap(verdicts),
        "reader_gap": worklist.reader_gap(verdicts, stain),
        "unfamiliar": worklist.unfamiliar(verdicts),
        "assessable": assess_tumour(verdicts, stain, side).assessable,
        "doubt": doubt,
        "certainty": certainty,
    }


def review_rows(session: Session, ids: Collection[int]) -> list[dict[str, Any]]:
    """The rows of `ReviewStateRow` for these entries."""
    answers, measured = read_in(session, ids)
    verdicts = {entry: [to_verdict(row) for row, _ in answers[entry]] for entry in ids}
    stains = {entry: stain_rows.to_reading(row) for entry, row in measured.items()}
    later = aliased(ReviewRow)
    entries = session.execute(
        select(ReviewRow, PatchRow.name, PatchRow.sha256, later.id)
        .join(PatchRow, ReviewRow.patch_id == PatchRow.id)
        .outerjoin(later, later.supersedes == ReviewRow.id)
        .where(ReviewRow.id.in_(ids))
    )
    return [
        {
            "review_id": entry.id,
            "patch_id": entry.patch_id,
            "reviewer_id": entry.reviewer_id,
            "superseded": later_id is not None,
            "gap": worklist.model_gap(verdicts[entry.id]),
            "same": all(one.score == entry.own_score for one in verdicts[entry.id])
            if verdicts[entry.id]
            else None,
            "assessable": assess_tumour(
                verdicts[entry.id], stains.get(entry.id), entry.square.size
            ).assessable,
            "search": f"{entry.comment}\n{name}\n{sha256}".casefold(),
        }
        for entry, name, sha256, later_id in entries
    ]
