"""Asking the database for a screenful of the worklist, and for what stands before and after.

Every function works inside the caller's transaction. What a person may see is a part of the
question (`View`): conditions on `PatchStateRow`, made by `her2core.people`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from her2core.reviews.schema import PatchRow, ReviewerRow, ReviewRow
from her2core.reviews.state_tables import PatchStateRow
from her2core.reviews.worklist import EARLIER, UNREAD, WAITING, Order

MOST_COUNTED = 10_000
_State = PatchStateRow
_Keys = tuple[InstrumentedAttribute[Any], ...]
_ARRIVAL: _Keys = (_State.received_at, _State.sha256)
_NAME: _Keys = (_State.name_key, *_ARRIVAL)
_DOUBT: _Keys = (_State.doubt, _State.certainty, *_ARRIVAL)


@dataclass(frozen=True)
class View:
    """Which patches, in which order, as one person sees them.

    Attributes:
        derived_id: of the models in use.
        order: "arrival", "name" or "doubt"; by doubt patches without a verdict come last.
        blind: verdicts are hidden until a patch is reviewed. By doubt the patches still to be
            reviewed then come first, by arrival: their place would tell what is hidden.
        reviewer_id: of this person in the log, None while they have recorded nothing.
        veiled: whether no second reader's word may be told, so that the patch counts as unread.
        only: further conditions.
        filtered: those of a filter; names are told apart among all patches all the same.
    """

    derived_id: int
    order: Order = "arrival"
    blind: bool = False
    reviewer_id: int | None = None
    veiled: ColumnElement[bool] = field(default_factory=false)
    only: tuple[ColumnElement[bool], ...] = ()
    filtered: tuple[ColumnElement[bool], ...] = ()

    @property
    def reviewed(self) -> ColumnElement[bool]:
        """Whether this person has reviewed the patch."""
        return reviewed_by(self.reviewer_id)

    @property
    def conditions(self) -> tuple[ColumnElement[bool], ...]:
        """All that a row must meet."""
        return (_State.derived_id == self.derived_id, *self.only, *self.filtered)


@dataclass(frozen=True)
class Counts:
    """How many patches, how many this person is still to review, and what was not read yet."""

    patches: int
    left: int
    waiting: int
    outdated: int


@dataclass(frozen=True)
class _Part:
    """A stretch of an order: rows that meet the condition, by keys that an index holds."""

    condition: ColumnElement[bool]
    keys: _Keys


def reviewer_id(session: Session, name: str) -> int | None:
    """Number of a reviewer in the log."""
    return session.scalar(select(ReviewerRow.id).where(ReviewerRow.name == name))


def reviewed_by(number: int | None) -> ColumnElement[bool]:
    """Whether this reviewer has an entry of the patch, as a condition on `PatchStateRow`."""
    if number is None:
        return false()
    return (
        select(ReviewRow.id)
        .where(ReviewRow.reviewer_id == number, ReviewRow.patch_id == _State.patch_id)
        .exists()
    )


def count(session: Session, view: View) -> int:
    """How many patches there are."""
    return session.scalar(select(func.count()).select_from(_State).where(*view.conditions)) or 0


def counts(session: Session, view: View) -> Counts:
    """How many patches there are, and how far they are; what is veiled is not told of."""
    patches = count(session, view)
    # asked from the side of the entries, which are fewer than the patches
    own = select(ReviewRow.patch_id).where(ReviewRow.reviewer_id == view.reviewer_id)
    done = select(func.count()).where(*view.conditions, _State.patch_id.in_(own))
    unread = session.execute(
        select(_State.readiness, func.count())
        .where(*view.conditions, _State.readiness.in_((EARLIER, WAITING)), not_(view.veiled))
        .group_by(_State.readiness)
    )
    states = dict(unread.all())
    left = patches - (session.scalar(done) or 0)
    return Counts(patches, left, states.get(WAITING, 0), states.get(EARLIER, 0))


def find(session: Session, view: View, sha256: str) -> int | None:
    """Number of the patch, where it is among those of the view."""
    number = select(PatchRow.id).where(PatchRow.sha256 == sha256).scalar_subquery()
    return session.scalar(
        select(_State.patch_id).where(*view.conditions, _State.patch_id == number)
    )


def from_here(session: Session, view: View, patch_id: int | None, limit: int) -> list[int]:
    """Up to so many patches in the order, beginning with this one, or with the first."""
    return _collect(session, view, patch_id, limit, forward=True, inclusive=True)


def after(session: Session, view: View, patch_id: int, limit: int) -> list[int]:
    """Up to so many patches that come after this one."""
    return _collect(session, view, patch_id, limit, forward=True)


def before(session: Session, view: View, patch_id: int, limit: int) -> list[int]:
    """Up to so many patches that come before this one, the last one first."""
    return _collect(session, view, patch_id, limit, forward=False)


def keys(session: Session, view: View) -> list[str]:
    """sha256 of all patches in the order."""
    return [
        sha256
        for conditions, order in _stretches(session, view, None, forward=True)
        for sha256 in session.scalars(select(_State.sha256).where(*conditions).order_by(*order))
    ]


def place(session: Session, view: View, patch_id: int) -> int:
    """How many patches come before this one; of a long list they are counted to `MOST_COUNTED`."""
    counted = 0
    for conditions, _ in _stretches(session, view, patch_id, forward=False):
        these = select(_State.patch_id).where(*conditions).limit(MOST_COUNTED - counted)
        counted += session.scalar(select(func.count()).select_from(these.subquery())) or 0
        if counted == MOST_COUNTED:
            break
    return counted


def next_to_review(session: Session, view: View, patch_id: int | None) -> int | None:
    """The first patch after this one that the person has not reviewed, going round at the end."""
    to_do = replace(view, filtered=(*view.filtered, not_(view.reviewed)))
    following = [] if patch_id is None else after(session, to_do, patch_id, 1)
    if not following:
        following = [i for i in from_here(session, to_do, None, 2) if i != patch_id]
    return following[0] if following else None


def unread(session: Session, derived_id: int) -> list[tuple[str, str]]:
    """sha256 and name of the patches that a model or the stain measurement has not read."""
    rows = session.execute(
        select(PatchRow.sha256, PatchRow.name)
        .join(_State, _State.patch_id == PatchRow.id)
        .where(_State.derived_id == derived_id, _State.unread)
        .order_by(PatchRow.id)
    )
    return [(sha256, name) for sha256, name in rows]


def namesakes(session: Session, view: View, looks: Collection[str]) -> dict[str, int]:
    """Look of a name -> how many patches have a name that looks like it, whatever is filtered."""
    rows = session.execute(
        select(_State.look, func.count())
        .where(*replace(view, filtered=()).conditions, _State.look.in_(looks))
        .group_by(_State.look)
    )
    return dict(rows.all())


def cases(session: Session, view: View, limit: int) -> list[str]:
    """Slides and cases, casefolded, of the patches, in order of their names."""
    known = select(_State.case_name).where(*view.conditions, _State.case_name != "")
    return list(session.scalars(known.distinct().order_by(_State.case_name).limit(limit)))


# -------------------------------------------------------------------------------------------------


def _parts(view: View) -> list[_Part]:
    """The order as stretches, one after the other."""
    if view.order == "name":
        return [_Part(true(), _NAME)]
    if view.order == "arrival":
        return [_Part(true(), _ARRIVAL)]
    unread = or_(_State.doubt == UNREAD, view.veiled)
    by_doubt = [_Part(not_(unread), _DOUBT), _Part(unread, _ARRIVAL)]
    if not view.blind:
        return by_doubt
    return [
        _Part(not_(view.reviewed), _ARRIVAL),
        *(_Part(and_(view.reviewed, part.condition), part.keys) for part in by_doubt),
    ]


def _stretches(
    session: Session,
    view: View,
    patch_id: int | None,
    *,
    forward: bool,
    inclusive: bool = False,
) -> Iterator[tuple[list[ColumnElement[bool]], _Keys]]:
    """Conditions and keys of what follows the patch, or comes before it, nearest first."""
    parts = _parts(view)
    start = 0
    if patch_id is not None:
        here = (_State.derived_id == view.derived_id, _State.patch_id == patch_id)
        start = next(
            number
            for number, part in enumerate(parts)
            if session.scalar(select(_State.patch_id).where(*here, part.condition)) is not None
        )
    others = range(start, len(parts)) if forward else range(start, -1, -1)
    for number in others:
        part = parts[number]
        conditions = [*view.conditions, part.condition]
        if patch_id is not None and number == start:
            values = session.execute(select(*part.keys).where(*here)).one()
            bounds = tuple_(*map(_bound, part.keys, values))
            keys = tuple_(*part.keys)
            if inclusive:
                conditions.append(keys >= bounds if forward else keys <= bounds)
            else:
                conditions.append(keys > bounds if forward else keys < bounds)
        yield conditions, part.keys


def _collect(
    session: Session,
    view: View,
    patch_id: int | None,
    limit: int,
    *,
    forward: bool = True,
    inclusive: bool = False,
) -> list[int]:
    ids: list[int] = []
    for conditions, keys in _stretches(
        session, view, patch_id, forward=forward, inclusive=inclusive
    ):
        order = keys if forward else tuple(key.desc() for key in keys)
        wanted = select(_State.patch_id).where(*conditions).order_by(*order)
        ids += session.scalars(wanted.limit(limit - len(ids)))
        if len(ids) >= limit:
            break
    return ids


def _bound(key: InstrumentedAttribute[Any], value: object) -> ColumnElement[Any]:
    return literal(value, key.type)
