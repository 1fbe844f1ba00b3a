"""What one person may see, as conditions on rows of the worklist: `sight` asked of the database."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, false, not_, or_, select, true
from sqlalchemy.orm import Session

from her2core.accounts.records import Identity, Permission
from her2core.accounts.tables import AccountRow
from her2core.reviews.assignment_plan import AssignmentRow, DoubleReadRow
from her2core.reviews.state_tables import PatchStateRow, ReviewStateRow
from her2core.reviews.worklist_filter import WorklistFilter

_READING, _DISAGREED = "reading", "disagreed"


def theirs(
    session: Session, person: Identity, reviewed: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Whether the patch is this person's to read, or to adjudicate; see `sight.is_theirs`.

    Args:
        session: of the transaction.
        person: who asks.
        reviewed: whether they have reviewed the patch.
    """
    if person.way == "open":
        return true()
    return or_(
        not_(PatchStateRow.given),
        given_to(session, person.name, "single", "double"),
        _adjudicated(session, person, reviewed),
    )


def veiled(session: Session, person: Identity) -> ColumnElement[bool]:
    """Whether the verdicts are kept from this person by a blind double read; see `sight_of`."""
    if person.way == "open":
        return false()
    blind = select(DoubleReadRow.id).where(
        DoubleReadRow.patch_id == PatchStateRow.patch_id, DoubleReadRow.blind
    )
    return and_(
        PatchStateRow.stage.is_not(None),
        PatchStateRow.stage == _READING,
        given_to(session, person.name, "double"),
        blind.exists(),
    )


def sealed(session: Session, person: Identity, derived_id: int) -> ColumnElement[bool]:
    """Whether an entry of the log belongs to a double read that is not finished."""
    if person.way == "open":
        return false()
    return ReviewStateRow.patch_id.in_(
        select(PatchStateRow.patch_id).where(
            PatchStateRow.derived_id == derived_id, PatchStateRow.stage == _READING
        )
    )


def given_to(session: Session, name: str, *kinds: str) -> ColumnElement[bool]:
    """Whether the patch was given to this person as one of these."""
    number = session.scalar(select(AccountRow.id).where(AccountRow.name == name))
    if number is None:
        return false()
    return (
        select(AssignmentRow.id)
        .where(
            AssignmentRow.patch_id == PatchStateRow.patch_id,
            AssignmentRow.account_id == number,
            AssignmentRow.kind.in_(kinds),
        )
        .exists()
    )


def given(
    session: Session, person: Identity, wanted: WorklistFilter
) -> tuple[ColumnElement[bool], ...]:
    """What a filter by who was given the patch asks for."""
    if wanted.given == "nobody":
        return (not_(PatchStateRow.given),)
    if wanted.given == "me":
        return (given_to(session, person.name, "single", "double", "adjudication"),)
    return ()


def _adjudicated(
    session: Session, person: Identity, reviewed: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Whether the disagreement is this person's to decide, or was; see `sight.to_adjudicate`."""
    if not person.may(Permission.ADJUDICATE):
        return false()
    own = given_to(session, person.name, "adjudication")
    return and_(
        PatchStateRow.stage.is_not(None),
        not_(given_to(session, person.name, "double")),
        or_(
            and_(PatchStateRow.stage == _DISAGREED, not_(reviewed)),
            and_(PatchStateRow.stage != _READING, own),
        ),
    )
