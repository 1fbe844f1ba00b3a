"""The worklist as it was read before the database was asked for a part: slow, and to compare with.

All patches, verdicts and reviews are read, and Python leaves out, orders and counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from her2core.accounts.records import Identity
from her2core.people.assignments import Assignments
from her2core.people.sight import is_theirs, sight_of
from her2core.reviews.double_reads import Plan
from her2core.reviews.records import WorklistItem
from her2core.reviews.store import ReviewStore
from her2core.reviews.worklist import FAR_APART, Order, entropy, model_gap, reader_gap, unfamiliar
from tests.whole_worklist import whole_worklist


@dataclass(frozen=True)
class SlowWorklist:
    """One person's worklist, read as a whole."""

    items: tuple[WorklistItem, ...]
    waiting: int
    outdated: int

    @property
    def keys(self) -> list[str]:
        return [item.patch.sha256 for item in self.items]

    @property
    def left(self) -> int:
        return sum(item.review_id is None for item in self.items)


def slow_worklist(
    store: ReviewStore, person: Identity, models: Mapping[str, str], order: Order, blind: bool
) -> SlowWorklist:
    """What `her2core.people.worklist` should say of the same store."""
    plan = Plan() if person.way == "open" else Assignments(store).plan()
    shown = {
        item.patch.sha256: sight_of(person, plan, item.patch.sha256).verdicts
        for item in whole_worklist(store, person.name, models)
        if is_theirs(person, plan, item.patch.sha256)
    }
    items = [
        item if shown[item.patch.sha256] else WorklistItem(item.patch, review_id=item.review_id)
        for item in whole_worklist(store, person.name, models)
        if item.patch.sha256 in shown
    ]
    return SlowWorklist(
        tuple(ordered(items, order, blind=blind)),
        sum(not (item.verdicts or item.earlier) and shown[item.patch.sha256] for item in items),
        sum(bool(item.earlier) for item in items),
    )


def ordered(
    items: Sequence[WorklistItem], order: Order, *, blind: bool = False
) -> list[WorklistItem]:
    """The items in the order asked for, whether reviewed or not."""
    by_arrival = sorted(items, key=lambda item: (item.patch.received_at, item.patch.sha256))
    if order == "doubt" and blind:
        reviewed = [item for item in by_arrival if item.review_id is not None]
        waiting = [item for item in by_arrival if item.review_id is None]
        return [*waiting, *sorted(reviewed, key=_certainty)]
    if order == "doubt":
        return sorted(by_arrival, key=_certainty)
    if order == "name":
        return sorted(by_arrival, key=lambda item: _natural(item.patch.name))
    return by_arrival


def next_unreviewed(items: Sequence[WorklistItem], sha256: str | None) -> str | None:
    """The first unreviewed patch after `sha256`, going round at the end."""
    keys = [item.patch.sha256 for item in items]
    start = keys.index(sha256) + 1 if sha256 in keys else 0
    round_trip = [*items[start:], *items[:start]]
    return next(
        (
            item.patch.sha256
            for item in round_trip
            if item.review_id is None and item.patch.sha256 != sha256
        ),
        None,
    )


def _certainty(item: WorklistItem) -> tuple[bool, bool, bool, int, float]:
    gap = model_gap(item.verdicts)
    apart = reader_gap(item.verdicts, item.stain) or 0
    return (
        not item.verdicts,
        apart < FAR_APART,
        not unfamiliar(item.verdicts),
        -gap if gap is not None else 1,
        -entropy(item.verdicts),
    )


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts: list[tuple[int, int, str]] = []
    digits = ""
    for char in [*name.casefold(), ""]:
        if char.isdecimal():
            digits += char
            continue
        if digits:
            parts.append((0, int(digits), digits))
            digits = ""
        if char:
            parts.append((1, 0, char))
    return parts
