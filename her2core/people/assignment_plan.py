"""Reading which patch is whose, and how far it is, from the database. What is written: assignments.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import cast

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from her2core.accounts.tables import AccountRow
from her2core.people.double_reading import (
    DoubleRead,
    GivenScore,
    Kind,
    Plan,
    blinded_answers,
    latest,
)
from her2core.people.tables import AssignmentRow, DoubleReadRow
from her2core.reviews.schema import PatchRow, ReviewerRow, ReviewRow
from her2core.scores import HER2Score


def read_plan(session: Session, patches: Collection[str] | None = None) -> Plan:
    """Who reads what and how far it is, as the caller's transaction sees it.

    Args:
        session: of the transaction.
        patches: sha256 of those that are asked about; None: all.
    """
    only = () if patches is None else (PatchRow.sha256.in_(patches),)
    kinds: dict[str, dict[str, Kind]] = defaultdict(dict)
    for patch, name, kind in session.execute(
        select(PatchRow.sha256, AccountRow.name, AssignmentRow.kind)
        .join(PatchRow, AssignmentRow.patch_id == PatchRow.id)
        .join(AccountRow, AssignmentRow.account_id == AccountRow.id)
        .where(*only)
        .order_by(AssignmentRow.id)
    ):
        kinds[patch][name] = cast(Kind, kind)  # one of three, by a constraint
    log = _answers(session, only)
    reads = {
        patch: _read(patch, blind, kinds[patch], log.get(patch, ()))
        for patch, blind in session.execute(
            select(PatchRow.sha256, DoubleReadRow.blind)
            .join(PatchRow, DoubleReadRow.patch_id == PatchRow.id)
            .where(*only)
            .order_by(DoubleReadRow.id)
        )
    }
    return Plan(dict(kinds), reads, frozenset(reviewed(session, *only)))


def _read(
    sha256: str, blind: bool, kinds: dict[str, Kind], log: Sequence[GivenScore]
) -> DoubleRead:
    readers = tuple(name for name, kind in kinds.items() if kind == "double")
    third = next((name for name, kind in kinds.items() if kind == "adjudication"), None)
    answers = blinded_answers(readers, log)
    return DoubleRead(sha256, readers, blind, answers, third, latest(third, log))


def _answers(session: Session, only: Sequence[ColumnElement[bool]]) -> dict[str, list[GivenScore]]:
    """sha256 -> all entries about the patch; only of patches in a double read."""
    scores: dict[str, list[GivenScore]] = defaultdict(list)
    for sha256, review_id, name, score in session.execute(
        select(PatchRow.sha256, ReviewRow.id, ReviewerRow.name, ReviewRow.own_score)
        .join(PatchRow, ReviewRow.patch_id == PatchRow.id)
        .join(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
        .join(DoubleReadRow, DoubleReadRow.patch_id == PatchRow.id)
        .where(*only)
    ):
        scores[sha256].append(GivenScore(review_id, name, HER2Score(score)))
    return scores


def reviewed(session: Session, *only: ColumnElement[bool]) -> set[tuple[str, str]]:
    """(name, sha256) of who has reviewed what, of patches given to somebody."""
    rows = session.execute(
        select(ReviewerRow.name, PatchRow.sha256)
        .select_from(ReviewRow)
        .join(PatchRow, ReviewRow.patch_id == PatchRow.id)
        .join(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
        .where(ReviewRow.patch_id.in_(select(AssignmentRow.patch_id)), *only)
        .distinct()
    )
    return {(name, sha256) for name, sha256 in rows}
