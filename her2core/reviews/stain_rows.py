"""Stain readings in the database: rows to readings, readings to rows, and what a hash covers."""

from dataclasses import fields
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.preprocessing.patches import Square
from her2core.reviews.chain import StainFacts
from her2core.reviews.schema import StainReadingRow
from her2core.scores import HER2Score
from her2core.stain.reading import StainReading


def row_of(session: Session, patch_id: int, square: Square, facts: StainFacts) -> StainReadingRow:
    """The recorded row of exactly this reading, made where there is none."""
    known = session.scalars(
        select(StainReadingRow).where(
            StainReadingRow.patch_id == patch_id,
            StainReadingRow.square == square,
            StainReadingRow.method == facts.method,
        )
    ).all()
    for row in known:
        if raw_facts(row) == facts:
            return row
    row = StainReadingRow(patch_id=patch_id, square=square, reading=len(known) + 1, **vars(facts))
    session.add(row)
    session.flush()
    return row


def to_reading(recorded: StainReadingRow | StainFacts) -> StainReading:
    """A reading as it was measured.

    Raises:
        ValueError: the score is none.
    """
    score = None if recorded.score is None else HER2Score(recorded.score)
    return StainReading(**{**_values(recorded), "score": score})


def facts_of(reading: StainReading) -> StainFacts:
    """What an entry's hash covers of a reading, in plain Python numbers."""
    none, faint, moderate, intense = (int(count) for count in reading.counts)
    return StainFacts(
        method=reading.method,
        counts=(none, faint, moderate, intense),
        score=None if reading.score is None else int(reading.score),
        reason=reading.reason,
        ultralow=bool(reading.ultralow),
        completeness=_plain(reading.completeness),
        intensity=_plain(reading.intensity),
        um_per_pixel=_plain(reading.um_per_pixel),
    )


def plain_float(value: float) -> float:
    """A Python number that every database gives back as it is hashed.

    numpy's print differently and no driver takes them; SQLite drops the sign of a negative zero.
    """
    return float(value) + 0.0  # -0.0 + 0.0 is 0.0


def raw_facts(row: StainReadingRow) -> StainFacts:
    """The same from the database, readable even where someone tampered with it."""
    return StainFacts(**_values(row))


def _plain(value: float | None) -> float | None:
    return None if value is None else plain_float(value)


def _values(recorded: StainReadingRow | StainFacts) -> dict[str, Any]:
    return {field.name: getattr(recorded, field.name) for field in fields(StainFacts)}
