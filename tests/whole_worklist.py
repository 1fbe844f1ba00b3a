"""A worklist read as a whole: for tests, whose stores are small."""

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import select

from her2core.people.worklist import Worklist
from her2core.reviews import queries, validation
from her2core.reviews.records import WorklistItem
from her2core.reviews.schema import PatchRow
from her2core.reviews.store import ReviewStore


def whole_worklist(
    store: ReviewStore, reviewer: str, models: Mapping[str, str] = MappingProxyType({})
) -> list[WorklistItem]:
    """All patches; those this reviewer has not reviewed first, each in order of arrival."""
    name = validation.recorded_name(reviewer)
    with store.reading() as session:
        ids = session.scalars(select(PatchRow.id).order_by(PatchRow.id)).all()
        items = queries.worklist_items(session, ids, name, models)
    return sorted(items, key=lambda item: item.review_id is not None)


def screenfuls(worklist: Worklist, size: int = 3) -> list[WorklistItem]:
    """All patches of somebody's worklist, a screenful at a time."""
    items: list[WorklistItem] = []
    start: str | None = None
    while True:
        screen = worklist.screen(start, size)
        items += screen.items
        if screen.following is None:
            return items
        start = screen.following
