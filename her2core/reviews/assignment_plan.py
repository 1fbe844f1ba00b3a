"""Which patch is whose, and how far it is: the tables, and reading them.

What is written into them, and who may, is `her2core.people`'s. Every function works inside the
caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    String,
    UniqueConstraint,
    column,
    select,
    table,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from her2core.reviews.double_reads import (
    DoubleRead,
    GivenScore,
    Kind,
    Plan,
    blinded_answers,
    latest,
)
from her2core.reviews.schema import Base, PatchRow, ReviewerRow, ReviewRow
from her2core.scores import HER2Score

# by name: accounts are `her2core.accounts`', and only asked here
ACCOUNT = table("account", column("id"), column("name"))


class DoubleReadRow(Base):
    """A patch given to two readers who do not see each other's answer until both are in."""

    __tablename__ = "double_read"

    id: Mapped[int] = mapped_column(primary_key=True)
    patch_id: Mapped[int] = mapped_column(ForeignKey("patch.id"), unique=True)
    blind: Mapped[bool]
    created_at: Mapped[datetime]


class AssignmentRow(Base):
    """A patch that one person is to read, alone, as one of two, or as adjudicator."""

    __tablename__ = "assignment"
    __table_args__ = (
        CheckConstraint("kind IN ('single', 'double', 'adjudication')", name="kind"),
        UniqueConstraint("patch_id", "account_id", name="uq_assignment_patch_id_account_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patch_id: Mapped[int] = mapped_column(ForeignKey("patch.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    double_read_id: Mapped[int | None] = mapped_column(ForeignKey("double_read.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    assigned_by: Mapped[str] = mapped_column(String(80))
    assigned_at: Mapped[datetime]


def read_plan(session: Session, patches: Collection[str] | None = None) -> Plan:
    """Who reads what and how far it is, as the caller's transaction sees it.

    Args:
        session: of the transaction.
        patches: sha256 of those that are asked about; None: all.
    """
    only = () if patches is None else (PatchRow.sha256.in_(patches),)
    kinds: dict[str, dict[str, Kind]] = defaultdict(dict)
    for patch, name, kind in session.execute(
        select(PatchRow.sha256, ACCOUNT.c.name, AssignmentRow.kind)
        .join(PatchRow, AssignmentRow.patch_id == PatchRow.id)
        .join(ACCOUNT, AssignmentRow.account_id == ACCOUNT.c.id)
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
