"""Which recorded reading of a patch counts now: one of the models in use, not merely the newest.

A patch can have been read by models that were in use before, and in several squares. The worklist
shows and orders by what the present models say; what they have not read yet is to be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from her2core.reviews.schema import VerdictRow

Square = tuple[int, int, int]


def latest(rows: Sequence[VerdictRow], models: Mapping[str, str]) -> list[VerdictRow]:
    """Each architecture's last reading by the models in use, all of one square.

    Of the squares that all of them have read, the one read last; where there is none, the last
    read by any. Not the newest row alone decides: a reading that was recorded before is not
    recorded again when its model comes back.

    Args:
        rows: of one patch, in order of recording.
        models: architecture -> id of the model in use; of an architecture that is not named, any
            model counts.
    """
    squares: dict[Square, dict[str, VerdictRow]] = {}
    for row in rows:
        if models.get(row.architecture, row.model_id) == row.model_id:
            square = (row.square_x, row.square_y, row.square_size)
            readings = squares.pop(square, {})  # put back at the end: it is the one read last now
            squares[square] = {**readings, row.architecture: row}
    whole = [readings for readings in squares.values() if models.keys() <= readings.keys()]
    last = (whole or list(squares.values()) or [{}])[-1]
    return [last[architecture] for architecture in sorted(last)]


def earlier(rows: Sequence[VerdictRow], shown: Sequence[VerdictRow]) -> frozenset[str]:
    """Architectures that have read the patch, but with no reading that counts now.

    The model that read it is no longer in use, or it read another square than the others.

    Args:
        rows: all readings of a patch.
        shown: those that count now.
    """
    return frozenset(row.architecture for row in rows) - {row.architecture for row in shown}
