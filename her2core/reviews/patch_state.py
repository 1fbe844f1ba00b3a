"""A patch as the worklist orders, filters and counts it; computed of the patch's own rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.models.assessable import assess_tumour
from her2core.preprocessing.patches import Square
from her2core.reviews import latest, stain_rows, worklist
from her2core.reviews.assignment_names import ACCOUNT, ASSIGNMENT, DOUBLE_READ
from her2core.reviews.double_reads import DoubleRead, GivenScore, blinded_answers
from her2core.reviews.double_reads import latest as last_answer
from her2core.reviews.patch_names import look
from her2core.reviews.queries import by_patch, to_patch, to_verdict
from her2core.reviews.schema import PatchRow, ReviewerRow, ReviewRow, StainReadingRow, VerdictRow
from her2core.reviews.worklist_filter import STAIN
from her2core.scores import HER2Score


def rows(
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
    given, stages = _assignments(session, ids)
    made = []
    for patch in session.scalars(select(PatchRow).where(PatchRow.id.in_(ids))):
        if (patch.origin or {}).get("whole"):
            continue  # stands for a slide in the log, and is read by nobody
        of_itself = {
            "patch_id": patch.id,
            "sha256": patch.sha256,
            "received_at": patch.received_at,
            "name_key": worklist.name_key(patch.name),
            "look": look(patch.name),
            "search": f"{patch.name}\n{patch.sha256}".casefold(),
            "case_name": to_patch(patch).slide_or_case.casefold(),
            "given": patch.id in given,
            "stage": stages.get(patch.id),
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
    centred = Square.centred(patch.width, patch.height)
    shown = latest.latest(readings, models, centred)
    verdicts = tuple(map(to_verdict, shown))
    stain_row = latest.latest_stain(measured, shown, centred)
    stain = None if stain_row is None else stain_rows.to_reading(stain_row)
    said = {verdict.architecture: verdict.score for verdict in verdicts}
    if stain is not None and stain.score is not None:
        said[STAIN] = stain.score
    doubt, certainty = worklist.doubt(verdicts, stain)
    if latest.earlier(readings, shown):
        readiness = worklist.EARLIER
    else:
        readiness = worklist.READY if verdicts else worklist.WAITING
    side = min(patch.width, patch.height)
    return {
        "readiness": readiness,
        "unread": stain is None
        or not verdicts
        or bool(models.keys() - {verdict.architecture for verdict in verdicts}),
        "said": "".join(f" {reader}={score:d} " for reader, score in said.items()),
        "gap": worklist.model_gap(verdicts),
        "reader_gap": worklist.reader_gap(verdicts, stain),
        "unfamiliar": worklist.unfamiliar(verdicts),
        "assessable": assess_tumour(verdicts, stain, side).assessable,
        "doubt": doubt,
        "certainty": certainty,
    }


def _assignments(session: Session, ids: Collection[int]) -> tuple[set[int], dict[int, str]]:
    """Which of the patches were given to somebody, and the stage of those in a double read."""
    kinds: dict[int, dict[str, str]] = defaultdict(dict)
    for patch_id, name, kind in session.execute(
        select(ASSIGNMENT.c.patch_id, ACCOUNT.c.name, ASSIGNMENT.c.kind)
        .join(ACCOUNT, ASSIGNMENT.c.account_id == ACCOUNT.c.id)
        .where(ASSIGNMENT.c.patch_id.in_(ids))
        .order_by(ASSIGNMENT.c.id)
    ):
        kinds[patch_id][name] = kind
    double = set(
        session.scalars(select(DOUBLE_READ.c.patch_id).where(DOUBLE_READ.c.patch_id.in_(ids)))
    )
    log: dict[int, list[GivenScore]] = defaultdict(list)
    for patch_id, review_id, name, score in session.execute(
        select(ReviewRow.patch_id, ReviewRow.id, ReviewerRow.name, ReviewRow.own_score)
        .join(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
        .where(ReviewRow.patch_id.in_(double))
    ):
        log[patch_id].append(GivenScore(review_id, name, HER2Score(score)))
    stages: dict[int, str] = {}
    for patch_id in double:
        readers = tuple(name for name, kind in kinds[patch_id].items() if kind == "double")
        third = next((n for n, kind in kinds[patch_id].items() if kind == "adjudication"), None)
        answers = blinded_answers(readers, log[patch_id])
        decision = last_answer(third, log[patch_id])
        stages[patch_id] = DoubleRead("", readers, True, answers, third, decision).stage
    return set(kinds), stages
