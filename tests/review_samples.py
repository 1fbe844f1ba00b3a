"""Small valid records for the tests of the review store; every field can be replaced."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews.records import PatchRecord, Review, ReviewDraft
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score
from her2core.stain.reading import StainReading

SHA = "a" * 64
SQUARE = Square(50, 0, 200)
MORNING = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


def verdict(architecture: str = "cnn", score: int = 3, top: float = 0.7, **other: Any) -> Verdict:
    """A verdict for the score with probability `top`, the rest spread evenly."""
    rest = (1 - top) / 3
    first, second, third, fourth = (top if grade == score else rest for grade in range(4))
    facts = {"model_id": f"{architecture}-0123456789ab", "demo": True, **other}
    return Verdict(architecture, probabilities=(first, second, third, fourth), **facts)


STAIN = StainReading(
    "stain-2-0123456789ab", (38, 2, 0, 0), HER2Score.ZERO, None, True, 0.4, 0.2, 0.25
)
VERDICTS = (verdict("cnn", 3), verdict("densenet121", 2))


def patch(sha256: str = SHA, **other: Any) -> PatchRecord:
    """A 300 x 200 patch."""
    facts = {"name": "core 7.png", "width": 300, "height": 200, "received_at": MORNING, **other}
    return PatchRecord(sha256=sha256, **facts)


def draft(**other: Any) -> ReviewDraft:
    """A complete answer: 3+, sure, agrees with the CNN only."""
    facts: dict[str, Any] = {
        "patch_sha256": SHA,
        "square": SQUARE,
        "reviewer": "Dr. Ada Example",
        "verdicts": VERDICTS,
        "agrees": {"cnn": True, "densenet121": False},
        "own_score": HER2Score.THREE_PLUS,
        "confidence": "high",
        "comment": "circumferential",
        "seconds": 12.5,
    }
    return ReviewDraft(**{**facts, **other})


def review(**other: Any) -> Review:
    """A review as the store would return it."""
    facts: dict[str, Any] = {
        "id": 1,
        "recorded_at": MORNING,
        "patch": patch(),
        "square": SQUARE,
        "reviewer": "Dr. Ada Example",
        "verdicts": VERDICTS,
        "agrees": {"cnn": True, "densenet121": None},
        "own_score": HER2Score.THREE_PLUS,
        "confidence": "high",
        "comment": "",
        "seconds": 1.25,
        "blind": False,
        "supersedes": None,
        "superseded_by": None,
        "previous_hash": "0" * 64,
        "entry_hash": "f" * 64,
    }
    return Review(**{**facts, **other})


def url(folder: Path) -> str:
    """The SQLite database of a test."""
    return f"sqlite:///{folder / 'home' / 'reviews.sqlite3'}"


def open_store(where: Path | str, **options: Any) -> ReviewStore:
    """A store, by its URL or a test's folder, which knows the sample patch."""
    store = ReviewStore(url(where) if isinstance(where, Path) else where, **options)
    store.add_patch(patch())
    return store


def tamper(where: Path | str, *statements: str) -> None:
    """Edit the database behind the store's back: no triggers, no constraints."""
    if isinstance(where, str) and where.startswith("postgresql"):
        _tamper_postgresql(where, statements)
        return
    with closing(sqlite_connection(where)) as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            raw.execute(statement)
        raw.commit()


def sqlite_connection(where: Path | str) -> sqlite3.Connection:
    """The database of a test, by its URL or the test's folder, without the store."""
    text = url(where) if isinstance(where, Path) else where
    return sqlite3.connect(text.removeprefix("sqlite:///"))


def _tamper_postgresql(where: str, statements: Sequence[str]) -> None:
    with psycopg.connect(where) as raw:
        # neither triggers nor foreign keys are looked at by a replica
        raw.execute("SET session_replication_role = replica")
        checks = raw.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0"
        ).fetchall()
        for table, name, _ in checks:
            raw.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        for statement in statements:
            raw.execute(statement)
        for table, name, definition in checks:
            # back for the tests that follow; what stands there now is not looked at
            unchecked = definition.removesuffix(" NOT VALID")
            raw.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {unchecked} NOT VALID")
