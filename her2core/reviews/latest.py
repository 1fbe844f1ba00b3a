"""Which recorded reading of a patch counts now: one of the models in use, not merely the newest.

A patch can have been read by models that were in use before, and in several squares. The worklist
shows and orders by what the present models say; what they have not read yet is to be read.
"""

from collections.abc import Mapping, Sequence

from her2core.preprocessing.patches import Square
from her2core.reviews.schema import StainReadingRow, VerdictRow


def latest(
    rows: Sequence[VerdictRow], models: Mapping[str, str], centred: Square
) -> list[VerdictRow]:
    """Each architecture's last reading by the models in use, all of one square.

    The centred square where all of them have read it: it is what the queue reads of every patch,
    and a square that one reviewer tries must not stand for the patch before everybody. Else, of
    the squares that all of them have read, the one read last; where there is none, the last read
    by any. Not the newest row alone decides: a reading that was recorded before is not recorded
    again when its model comes back.

    Args:
        rows: of one patch, in order of recording.
        models: architecture -> id of the model in use; of an architecture that is not named, any
            model counts.
        centred: the centred square of the patch.
    """
    squares: dict[Square, dict[str, VerdictRow]] = {}
    for row in rows:
        if models.get(row.architecture, row.model_id) == row.model_id:
            square = row.square
            readings = squares.pop(square, {})  # put back at the end: it is the one read last now
            squares[square] = {**readings, row.architecture: row}
    whole = {square: all_of for square, all_of in squares.items() if models.keys() <= all_of.keys()}
    last = whole.get(centred) or (list((whole or squares).values()) or [{}])[-1]
    return [last[architecture] for architecture in sorted(last)]


def latest_stain(
    rows: Sequence[StainReadingRow], shown: Sequence[VerdictRow], centred: Square
) -> StainReadingRow | None:
    """The last stain reading of the square whose verdicts count now.

    Where none counts, that of the centred square; where that is not measured either, the last.

    Args:
        rows: of one patch, in order of recording.
        shown: the verdicts that count now, all of one square.
        centred: the centred square of the patch.
    """
    square = shown[-1].square if shown else centred
    here = [row for row in rows if row.square == square]
    last = here or ([] if shown else rows)
    return last[-1] if last else None


def earlier(rows: Sequence[VerdictRow], shown: Sequence[VerdictRow]) -> frozenset[str]:
    """Architectures that have read the patch, but with no reading that counts now.

    The model that read it is no longer in use, or it read another square than the others.

    Args:
        rows: all readings of a patch.
        shown: those that count now.
    """
    return frozenset(row.architecture for row in rows) - {row.architecture for row in shown}
