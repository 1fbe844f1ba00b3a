"""How far everybody is, for who gives patches out: counts, asked of the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import case, func, not_, select
from sqlalchemy.orm import Session

from her2core.accounts.tables import AccountRow
from her2core.reviews.assignment_plan import AssignmentRow
from her2core.reviews.schema import PatchRow, ReviewerRow, ReviewRow
from her2core.reviews.state_tables import PatchStateRow

# whether who was given the patch has an entry of it
_READ = (
    select(ReviewRow.id)
    .join(ReviewerRow, ReviewRow.reviewer_id == ReviewerRow.id)
    .where(ReviewerRow.name == AccountRow.name, ReviewRow.patch_id == AssignmentRow.patch_id)
    .correlate(AccountRow, AssignmentRow)
    .exists()
)


@dataclass(frozen=True)
class Progress:
    """How far one reader is with what was given to them."""

    name: str
    assigned: int
    done: int

    @property
    def left(self) -> int:
        """Patches still to be read."""
        return self.assigned - self.done


@dataclass(frozen=True)
class Overview:
    """How far the reading is.

    Attributes:
        free: patches given to nobody.
        progress: one line per person who was given something, by name.
        stages: stage of a double read -> how many have come to it.
    """

    free: int
    progress: tuple[Progress, ...]
    stages: Mapping[str, int]


def overview(session: Session, derived_id: int) -> Overview:
    """Count; `derived_id` is of any choice of models."""
    here = PatchStateRow.derived_id == derived_id
    free = select(func.count()).where(here, not_(PatchStateRow.given))
    stages = (
        select(PatchStateRow.stage, func.count())
        .where(here, PatchStateRow.stage.is_not(None))
        .group_by(PatchStateRow.stage)
    )
    given = (
        select(AccountRow.name, func.count(), func.sum(case((_READ, 1), else_=0)))
        .select_from(AssignmentRow)
        .join(AccountRow, AssignmentRow.account_id == AccountRow.id)
        .group_by(AccountRow.name)
    )
    lines = [Progress(name, number, done) for name, number, done in session.execute(given)]
    return Overview(
        session.scalar(free) or 0,
        tuple(sorted(lines, key=lambda line: line.name.casefold())),
        {stage: number for stage, number in session.execute(stages) if stage is not None},
    )


def free_patches(session: Session, derived_id: int) -> dict[str, str]:
    """sha256 -> name of the patches that were given to nobody, by arrival."""
    wanted = (
        select(PatchRow.sha256, PatchRow.name)
        .join(PatchStateRow, PatchStateRow.patch_id == PatchRow.id)
        .where(PatchStateRow.derived_id == derived_id, not_(PatchStateRow.given))
        .order_by(PatchStateRow.received_at, PatchStateRow.sha256)
    )
    return dict(session.execute(wanted).all())


def unread_patches(session: Session, name: str, limit: int | None = None) -> dict[str, str]:
    """sha256 -> name of what was given to this person alone and is not read yet."""
    wanted = (
        select(PatchRow.sha256, PatchRow.name)
        .join(AssignmentRow, AssignmentRow.patch_id == PatchRow.id)
        .join(AccountRow, AssignmentRow.account_id == AccountRow.id)
        .where(AccountRow.name == name, AssignmentRow.kind == "single", not_(_READ))
        .order_by(PatchRow.id)
    )
    return dict(session.execute(wanted.limit(limit)).all())
