"""A review store of any size, filled in bulk: as a department's would be after years."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, text, update
from sqlalchemy.orm import Session

from her2core.models.architectures import ARCHITECTURES
from her2core.preprocessing.patches import Square
from her2core.reviews.chain import GENESIS, EntryFacts, VerdictFacts, entry_hash
from her2core.reviews.database import for_writing, open_engine
from her2core.reviews.schema import (
    LogHeadRow,
    PatchRow,
    ReviewerRow,
    ReviewRow,
    ReviewVerdictRow,
    VerdictRow,
    utc_text,
)
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score

_SIDE = 224
_START = datetime(2026, 1, 1, tzinfo=UTC)
_AT_ONCE = 5000
Rows = list[dict[str, Any]]


def reviewer_name(number: int) -> str:
    """Name of a reviewer, from 1."""
    return f"Dr. {number:02}"


def sha256_of(number: int) -> str:
    """sha256 of a patch, from 1."""
    return f"{number:064x}"


def fill(url: str, patches: int, reviews: int, reviewers: int) -> None:
    """Put patches with two verdicts each into an empty store, and reviews of the first of them.

    Each reviewer has reviewed every nth patch, with the verdicts in sight; the chain is whole.
    What pages ask of the log is computed when the store is opened next.
    """
    ReviewStore(url).close()
    engine = for_writing(open_engine(url, 60.0))
    for part in _patch_parts(patches):
        _insert(engine, part)
    names = [{"id": n, "name": reviewer_name(n)} for n in range(1, reviewers + 1)]
    _insert(engine, [(ReviewerRow, names)])
    last = GENESIS
    for start in range(1, reviews + 1, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, reviews + 1))
        part, last = _review_part(numbers, reviews, reviewers, last)
        _insert(engine, part)
    with Session(engine) as session:
        session.execute(update(LogHeadRow).values(last_id=reviews, last_hash=last))
        for table in ("derived", "patch_state", "review_state"):  # as a log from before has none
            session.execute(text(f"DELETE FROM {table}"))
        session.commit()
    engine.dispose()
    ReviewStore(url).close()
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    engine.dispose()


def _insert(engine: Engine, tables: list[tuple[type, Rows]]) -> None:
    with Session(engine) as session:
        for table, rows in tables:
            session.execute(insert(table), rows)
        session.commit()


def _probabilities(number: int, architecture: str) -> tuple[float, float, float, float]:
    chance = random.Random(f"{number} {architecture}")
    score, top = chance.choice((0, 0, 1, 1, 2, 3)), chance.uniform(0.4, 0.98)
    rest = (1 - top) / 3
    first, second, third, fourth = (top if grade == score else rest for grade in range(4))
    return first, second, third, fourth


def _patch_parts(patches: int) -> Iterator[list[tuple[type, Rows]]]:
    for start in range(1, patches + 1, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, patches + 1))
        rows: Rows = [
            {
                "id": number,
                "sha256": sha256_of(number),
                "name": f"case {number // 20} patch {number}.png",
                "width": _SIDE,
                "height": _SIDE,
                "received_at": _START + timedelta(seconds=number),
                "warnings": [],
            }
            for number in numbers
        ]
        verdicts: Rows = []
        for number in numbers:
            for place, architecture in enumerate(ARCHITECTURES):
                first, second, third, fourth = _probabilities(number, architecture)
                verdicts.append(
                    {
                        "id": 2 * number - 1 + place,
                        "patch_id": number,
                        "square_x": 0,
                        "square_y": 0,
                        "square_size": _SIDE,
                        "architecture": architecture,
                        "model_id": f"{architecture}-0123456789ab",
                        "reading": 1,
                        "p_0": first,
                        "p_1plus": second,
                        "p_2plus": third,
                        "p_3plus": fourth,
                        "demo": True,
                        "novelty": None,
                        "backend": None,
                    }
                )
        yield [(PatchRow, rows), (VerdictRow, verdicts)]


def _review_part(
    numbers: range, reviews: int, reviewers: int, previous: str
) -> tuple[list[tuple[type, Rows]], str]:
    square = Square(0, 0, _SIDE)
    entries: Rows = []
    links: Rows = []
    for number in numbers:
        said = {name: _probabilities(number, name) for name in ARCHITECTURES}
        moment = _START + timedelta(days=30 + 150 * number / reviews)
        who = 1 + number % reviewers
        score = random.Random(number).choice((0, 1, 1, 2, 3))
        facts = EntryFacts(
            own_score=HER2Score(score),
            confidence="high",
            comment="",
            patch_sha256=sha256_of(number),
            square=(square.x, square.y, square.size),
            reviewer=reviewer_name(who),
            seconds=9.5,
            blind=False,
            supersedes=None,
            recorded_at=utc_text(moment),
            verdicts=tuple(
                VerdictFacts(name, f"{name}-0123456789ab", chances, True, None)
                for name, chances in said.items()
            ),
        )
        own = entry_hash(facts, previous)
        entries.append(
            {
                "id": number,
                "token": None,
                "patch_id": number,
                "square_x": square.x,
                "square_y": square.y,
                "square_size": square.size,
                "reviewer_id": who,
                "own_score": score,
                "confidence": "high",
                "comment": "",
                "seconds": 9.5,
                "blind": False,
                "supersedes": None,
                "recorded_at": moment,
                "previous_hash": previous,
                "entry_hash": own,
            }
        )
        links += [
            {"review_id": number, "verdict_id": 2 * number - 1 + place, "agrees": None}
            for place in range(len(ARCHITECTURES))
        ]
        previous = own
    return [(ReviewRow, entries), (ReviewVerdictRow, links)], previous
