"""The worklist of one person, asked of the database a screenful at a time.

Patches given to them, those given to nobody, and for an adjudicator the disagreements. What is
hidden from them is left out of the items, and told by no order, count or filter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import and_, not_
from sqlalchemy.orm import Session

from her2core.accounts.records import Identity
from her2core.people.sight import sight_of
from her2core.people.visible import given, theirs, veiled
from her2core.reviews import queries, worklist_queries
from her2core.reviews.assignment_plan import read_plan
from her2core.reviews.derived import patches_by
from her2core.reviews.double_reads import Plan
from her2core.reviews.patch_names import distinct_names, look
from her2core.reviews.records import WorklistItem
from her2core.reviews.store import ReviewStore
from her2core.reviews.validation import recorded_name
from her2core.reviews.worklist import Order
from her2core.reviews.worklist_filter import EVERYTHING, WorklistFilter, conditions
from her2core.reviews.worklist_queries import MOST_COUNTED, Counts, View

__all__ = ["MOST_COUNTED", "SCREENFUL", "Front", "Screen", "Worklist"]

SCREENFUL = 50


@dataclass(frozen=True)
class Screen:
    """A screenful of the worklist.

    Attributes:
        items: in order.
        plan: who reads these patches.
        names: sha256 -> name, told apart from those of other patches.
        first: how many patches come before; of a long list not more than MOST_COUNTED.
        patches: how many there are in all.
        previous, following: sha256 with which the screenful before and the one after begin; None
            at the ends.
    """

    items: tuple[WorklistItem, ...]
    plan: Plan
    names: Mapping[str, str]
    first: int
    patches: int
    previous: str | None
    following: str | None


@dataclass(frozen=True)
class Front:
    """The patch in front of the reviewer, and where it stands in their worklist.

    Attributes:
        item: the patch.
        name: told apart from those of other patches.
        place: how many patches come before it; of a long list not more than MOST_COUNTED.
        patches, left: how many there are, and how many are still to be reviewed.
        previous, following: sha256 of its neighbours; None at the ends.
        to_review: sha256 of the next patch to be reviewed, None when all others are.
        known: the patch asked for is in this worklist.
    """

    item: WorklistItem
    name: str
    place: int
    patches: int
    left: int
    previous: str | None
    following: str | None
    to_review: str | None
    known: bool


class Worklist:
    """One person's worklist in one order. Cheap to make; every method may raise StoreError."""

    def __init__(
        self,
        store: ReviewStore,
        person: Identity,
        models: Mapping[str, str],
        order: Order = "arrival",
        *,
        blind: bool = False,
        wanted: WorklistFilter = EVERYTHING,
    ) -> None:
        """Nothing is asked yet.

        Args:
            store: the review store.
            person: whose worklist.
            models: architecture -> id of the model in use, whose verdicts are wanted.
            order: see `View`.
            blind: see `View`. A filter by what second readers say then finds only what this person
                has reviewed.
            wanted: which of them.
        """
        self._store = store
        self._person = person
        self._models = models
        self._order: Order = order
        self._blind = blind
        self._wanted = wanted

    def counts(self) -> Counts:
        """How many patches there are, and how far they are."""
        with self._asking() as (session, view):
            return worklist_queries.counts(session, view)

    def screen(self, start: str | None = None, size: int = SCREENFUL) -> Screen:
        """The screenful that begins with this patch; with the first where it is not there."""
        with self._asking() as (session, view):
            at = worklist_queries.find(session, view, start) if start else None
            ids = worklist_queries.from_here(session, view, at, size + 1)
            shown, beyond = ids[:size], ids[size:]
            earlier = worklist_queries.before(session, view, shown[0], size) if shown else []
            items, plan = self._items(session, shown)
            return Screen(
                items,
                plan,
                _names(session, view, items),
                worklist_queries.place(session, view, shown[0]) if earlier else 0,
                worklist_queries.count(session, view),
                self._key(session, earlier[-1:]),
                self._key(session, beyond),
            )

    def front(self, asked: str | None, otherwise: str | None = None) -> Front | None:
        """The patch asked for, or another one, or the first to be reviewed, or the first.

        Returns:
            None where the worklist is empty.
        """
        with self._asking() as (session, view):
            at = worklist_queries.find(session, view, asked) if asked else None
            known = at is not None
            if at is None and otherwise:
                at = worklist_queries.find(session, view, otherwise)
            if at is None:
                at = worklist_queries.next_to_review(session, view, None)
            if at is None:
                at = next(iter(worklist_queries.from_here(session, view, None, 1)), None)
            if at is None:
                return None
            (item,), _ = self._items(session, [at])
            counts = worklist_queries.counts(session, view)
            following = worklist_queries.next_to_review(session, view, at)
            return Front(
                item,
                _names(session, view, [item])[item.patch.sha256],
                worklist_queries.place(session, view, at),
                counts.patches,
                counts.left,
                self._key(session, worklist_queries.before(session, view, at, 1)),
                self._key(session, worklist_queries.after(session, view, at, 1)),
                None if following is None else self._key(session, [following]),
                known,
            )

    def next_to_review(self, sha256: str | None = None) -> str | None:
        """The first patch after this one that is still to be reviewed, going round at the end."""
        with self._asking() as (session, view):
            at = worklist_queries.find(session, view, sha256) if sha256 else None
            found = worklist_queries.next_to_review(session, view, at)
            return None if found is None else self._key(session, [found])

    def keys(self) -> list[str]:
        """sha256 of all patches in order."""
        with self._asking() as (session, view):
            return worklist_queries.keys(session, view)

    def cases(self, limit: int = 1000) -> list[str]:
        """The first slides and cases by name, casefolded."""
        with self._asking() as (session, view):
            return worklist_queries.cases(session, view, limit)

    # ---------------------------------------------------------------------------------------------

    @contextmanager
    def _asking(self) -> Iterator[tuple[Session, View]]:
        number = self._store.derived(patches_by(self._models))
        with self._store.reading() as session:
            yield session, self._view(session, number)

    def _view(self, session: Session, number: int) -> View:
        reviewer = worklist_queries.reviewer_id(session, recorded_name(self._person.name))
        reviewed = worklist_queries.reviewed_by(reviewer)
        hidden = veiled(session, self._person)
        may_know = and_(not_(hidden), reviewed) if self._blind else not_(hidden)
        wanted = conditions(self._wanted, number, reviewed, may_know)
        return View(
            number,
            self._order,
            self._blind,
            reviewer,
            hidden,
            (theirs(session, self._person, reviewed),),
            (*wanted, *given(session, self._person, self._wanted)),
        )

    def _items(self, session: Session, ids: Sequence[int]) -> tuple[tuple[WorklistItem, ...], Plan]:
        """The patches, without what any second reader said where that is to be hidden."""
        name = recorded_name(self._person.name)
        items = queries.worklist_items(session, ids, name, self._models)
        if self._person.way == "open":
            return tuple(items), Plan()
        keys = [item.patch.sha256 for item in items]
        plan = read_plan(session, keys)
        return tuple(
            item
            if sight_of(self._person, plan, item.patch.sha256).verdicts
            else WorklistItem(item.patch, review_id=item.review_id)
            for item in items
        ), plan

    @staticmethod
    def _key(session: Session, ids: Sequence[int]) -> str | None:
        return queries.sha256_of(session, ids[0]) if ids else None


def _names(session: Session, view: View, items: Iterable[WorklistItem]) -> dict[str, str]:
    names = {item.patch.sha256: item.patch.name for item in items}
    alike = worklist_queries.namesakes(session, view, {look(name) for name in names.values()})
    return distinct_names(names, alike)
