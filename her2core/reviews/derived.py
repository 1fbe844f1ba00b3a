"""Keeping `state_tables` as the log says: in the transaction that changes it, and from nothing.

A row is computed of the patch's, or the entry's, own rows alone. Rows of before are filled in a few
at a time, each part in a transaction of its own, so that a filling that is killed goes on where it
was. There is one set of patch rows for each choice of models that was asked about lately.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, event, insert, select, update
from sqlalchemy.orm import Session, UOWTransaction

from her2core.models import assessable
from her2core.models.verdict import UNFAMILIAR
from her2core.reviews.derived_rows import patch_rows, review_rows
from her2core.reviews.queries import in_parts
from her2core.reviews.register import RegisteringSession
from her2core.reviews.schema import Base, PatchRow, ReviewRow
from her2core.reviews.state_tables import DerivedRow, PatchStateRow, ReviewStateRow

# what was computed by other rules is forgotten; the first number is counted up where a rule changes
_RULES = json.dumps([2, UNFAMILIAR, *assessable.NUMBERS])
REVIEWS = f"{_RULES} reviews"
_PATCHES = f"{_RULES} patches "
# choices of models whose rows are kept
_CHOICES = 5
_PART = 1000
# table -> column of the patch that a new row is about
_ABOUT = {
    "patch": "id", "verdict": "patch_id", "stain_reading": "patch_id", "review": "patch_id",
    "double_read": "patch_id", "assignment": "patch_id", "patch_case": "patch_id",
}  # fmt: skip


def patches_by(models: Mapping[str, str]) -> str:
    """Name of the patch rows for these models, architecture -> id."""
    return _PATCHES + json.dumps(dict(sorted(models.items())))


def find(session: Session, name: str) -> int | None:
    """The number under which these rows are kept; None where they are not all there."""
    wanted = select(DerivedRow.id).where(DerivedRow.name == name, DerivedRow.complete)
    return session.scalar(wanted)


def fill_part(session: Session, name: str) -> bool:
    """Compute some more of these rows, in a writing transaction; whether all are there now."""
    row = session.scalar(select(DerivedRow).where(DerivedRow.name == name))
    if row is None:
        _forget_old(session)
        row = DerivedRow(name=name, filled_to=0, complete=False)
        session.add(row)
        session.flush()
    table = ReviewRow if name == REVIEWS else PatchRow
    wanted = select(table.id).where(table.id > row.filled_to).order_by(table.id).limit(_PART)
    ids = list(session.scalars(wanted))
    if name == REVIEWS:
        _put_reviews(session, ids)
    else:
        _put_patches(session, ids, {row.id: _models(name)})
    row.filled_to = ids[-1] if ids else row.filled_to
    row.complete = len(ids) < _PART
    return row.complete


def names(session: Session) -> list[str]:
    """What is kept, or being filled in."""
    return list(session.scalars(select(DerivedRow.name).order_by(DerivedRow.id)))


def forget(session: Session) -> None:
    """Forget all derived rows; they are made anew when they are asked for next."""
    for table in (PatchStateRow, ReviewStateRow, DerivedRow):
        session.execute(delete(table))


def check(session: Session) -> list[str]:
    """One sentence for each derived row that is not what the log says."""
    entries: list[int] = []
    patches: list[int] = []
    for kept in session.scalars(select(DerivedRow).where(DerivedRow.complete)):
        if kept.name == REVIEWS:
            for part in in_parts(session.scalars(select(ReviewRow.id)).all()):
                rows = review_rows(session, part)
                entries += _differing(session, ReviewStateRow, "review_id", rows)
            continue
        of_choice = PatchStateRow.derived_id == kept.id
        for part in in_parts(session.scalars(select(PatchRow.id)).all()):
            rows = patch_rows(session, part, {kept.id: _models(kept.name)})
            patches += _differing(session, PatchStateRow, "patch_id", rows, of_choice)
    return [
        f"What the log's filters know of entry {number} is not what the log says."
        for number in entries
    ] + [
        f"What the worklist knows of patch number {number} is not what the log says."
        for number in sorted(set(patches))
    ]


def touch(session: Session, patch_ids: Iterable[int]) -> None:
    """Note that something of these patches was changed past the session's own rows."""
    session.info.setdefault("patches", set()).update(patch_ids)


@event.listens_for(RegisteringSession, "after_flush")
def _note_new(session: Session, _flush: UOWTransaction) -> None:
    for row in (*session.new, *session.deleted):
        if isinstance(row, Base) and row.__tablename__ in _ABOUT:
            touch(session, [getattr(row, _ABOUT[row.__tablename__])])
            if isinstance(row, ReviewRow):
                session.info.setdefault("reviews", set()).add(row.id)


def refresh(session: Session) -> None:
    """Compute anew what the transaction has changed; to be called before it is committed."""
    session.flush()
    patches = session.info.pop("patches", set())
    reviews = session.info.pop("reviews", set())
    if reviews:
        _put_reviews(session, sorted(reviews))
    kept = select(DerivedRow.id, DerivedRow.name).where(DerivedRow.name.startswith(_PATCHES))
    if patches:
        choices = {number: _models(name) for number, name in session.execute(kept)}
        _put_patches(session, sorted(patches), choices)


# -------------------------------------------------------------------------------------------------


def _models(name: str) -> dict[str, str]:
    models: dict[str, str] = json.loads(name.removeprefix(_PATCHES))
    return models


def _forget_old(session: Session) -> None:
    """Forget rows by former rules, and those of all but the latest choices of models."""
    kept = select(DerivedRow).order_by(DerivedRow.id.desc())
    patches = 0
    for row in session.scalars(kept).all():
        patches += row.name.startswith(_PATCHES)
        if row.name == REVIEWS or (row.name.startswith(_PATCHES) and patches < _CHOICES):
            continue
        session.execute(delete(PatchStateRow).where(PatchStateRow.derived_id == row.id))
        session.delete(row)


def _put_patches(
    session: Session, ids: Sequence[int], choices: Mapping[int, Mapping[str, str]]
) -> None:
    for part in in_parts(ids):
        session.execute(
            delete(PatchStateRow).where(
                PatchStateRow.derived_id.in_(list(choices)), PatchStateRow.patch_id.in_(part)
            )
        )
        if rows := patch_rows(session, part, choices):
            session.execute(insert(PatchStateRow), rows)


def _put_reviews(session: Session, ids: Sequence[int]) -> None:
    for part in in_parts(ids):
        session.execute(delete(ReviewStateRow).where(ReviewStateRow.review_id.in_(part)))
        session.execute(insert(ReviewStateRow), review_rows(session, part))
        corrected = select(ReviewRow.supersedes).where(
            ReviewRow.id.in_(part), ReviewRow.supersedes.is_not(None)
        )
        session.execute(
            update(ReviewStateRow)
            .where(ReviewStateRow.review_id.in_(corrected))
            .values(superseded=True)
        )


def _differing(
    session: Session,
    kind: type[PatchStateRow] | type[ReviewStateRow],
    key: str,
    rows: Sequence[Mapping[str, Any]],
    *only: ColumnElement[bool],
) -> list[int]:
    """The keys of rows that are not kept as they are computed now."""
    keys = [row[key] for row in rows]
    kept = {
        getattr(row, key): row
        for row in session.scalars(select(kind).where(getattr(kind, key).in_(keys), *only))
    }
    return [
        row[key]
        for row in rows
        if row[key] not in kept
        or any(getattr(kept[row[key]], name) != value for name, value in row.items())
    ]
