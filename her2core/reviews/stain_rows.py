"""Stain readings in the database: rows to readings, readings to rows, and what a hash covers."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from her2core.preprocessing.patches import Square
from her2core.reviews.chain import StainFacts
from her2core.reviews.schema import StainReadingRow
from her2core.scores import HER2Score
from her2core.stain.reading import StainReading


def row_of(
    session: Session, patch_id: int, square: Square, reading: StainReading
) -> StainReadingRow:
    """The recorded row of exactly this reading, made where there is none."""
    same_input = (
        StainReadingRow.patch_id == patch_id,
        StainReadingRow.square_x == square.x,
        StainReadingRow.square_y == square.y,
        StainReadingRow.square_size == square.size,
        StainReadingRow.method == reading.method,
    )
    facts = facts_of(reading)
    for row in session.scalars(
        select(StainReadingRow).where(*same_input).order_by(StainReadingRow.reading.desc())
    ):
        if raw_facts(row) == facts:
            return row
    readings = session.scalar(select(func.count()).select_from(StainReadingRow).where(*same_input))
    none, faint, moderate, intense = facts.counts
    row = StainReadingRow(
        patch_id=patch_id,
        square_x=int(square.x),
        square_y=int(square.y),
        square_size=int(square.size),
        method=facts.method,
        reading=(readings or 0) + 1,
        score=facts.score,
        reason=facts.reason,
        ultralow=facts.ultralow,
        cells_none=none,
        cells_faint=faint,
        cells_moderate=moderate,
        cells_intense=intense,
        completeness=facts.completeness,
        intensity=facts.intensity,
        um_per_pixel=facts.um_per_pixel,
    )
    session.add(row)
    session.flush()
    return row


def to_reading(row: StainReadingRow) -> StainReading:
    """A row as it was measured."""
    return StainReading(
        method=row.method,
        counts=_counts(row),
        score=None if row.score is None else HER2Score(row.score),
        reason=row.reason,
        ultralow=row.ultralow,
        completeness=row.completeness,
        intensity=row.intensity,
        um_per_pixel=row.um_per_pixel,
    )


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
    return StainFacts(
        method=row.method,
        counts=_counts(row),
        score=row.score,
        reason=row.reason,
        ultralow=row.ultralow,
        completeness=row.completeness,
        intensity=row.intensity,
        um_per_pixel=row.um_per_pixel,
    )


def _plain(value: float | None) -> float | None:
    return None if value is None else plain_float(value)


def _counts(row: StainReadingRow) -> tuple[int, int, int, int]:
    return (row.cells_none, row.cells_faint, row.cells_moderate, row.cells_intense)
