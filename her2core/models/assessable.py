"""Whether a field can be scored at all: a score of 0 needs tumour cells that do not stain.

Fat, stroma and lymphocytes do not stain either, and no network was taught to say that there is no
tumour. So where the networks see hardly any staining, the stain measurement must find tumour-like
cells; otherwise the field is not assessable. Clear staining proves tumour cells by itself.
"Not assessable" is no fifth grade: it stands beside the readers' probabilities, which are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from her2core.models.verdict import Verdict
from her2core.stain.reading import StainReading

# These numbers were chosen on real fields of breast (docs/external.md).
# fewer tumour-like cells cannot carry a 0
LEAST_CELLS = 15
# fewer tumour-like cells in 10,000 µm² are found in stroma, fat and at a torn edge; a solid tumour
# has 20 to 50. Below this mean grade, 0 to 3, such a field has hardly any staining either
SPARSE, LITTLE_STAINING = 9.0, 1.3
_LEAST_AREA_UM2 = 10_000.0
# what is kept of an answer bears these in its name, so that with another number it is found anew
NUMBERS = (LEAST_CELLS, SPARSE, LITTLE_STAINING, _LEAST_AREA_UM2)

NOT_ASSESSABLE = "not assessable"


@dataclass(frozen=True)
class Assessability:
    """Whether a field may be given a score, and if not, why: one sentence."""

    assessable: bool
    reason: str | None = None


ASSESSABLE = Assessability(True)


def asks_for_cells(verdicts: Sequence[Verdict]) -> bool:
    """Whether the networks see so little staining that tumour cells must be found."""
    return bool(verdicts) and (_mean_grade(verdicts) < LITTLE_STAINING or _says_zero(verdicts))


def assess_tumour(
    verdicts: Sequence[Verdict], stain: StainReading | None, side: int
) -> Assessability:
    """Say whether a field holds enough tumour cells for a score.

    Args:
        verdicts: of the networks; without any nothing is said against the field.
        stain: of the same square; None, or one without a scale, says nothing either.
        side: of the square in pixels.
    """
    if not asks_for_cells(verdicts) or stain is None or stain.um_per_pixel is None:
        return ASSESSABLE
    cells, area = stain.cells, (side * stain.um_per_pixel) ** 2
    few = _says_zero(verdicts) and cells < LEAST_CELLS
    sparse = area >= _LEAST_AREA_UM2 and cells / area * 10_000 < SPARSE
    if not (few or sparse):
        return ASSESSABLE
    noun = "cell was" if cells == 1 else "cells were"
    return Assessability(
        False,
        f"Not assessable: hardly any staining, and {cells or 'no'} tumour-like {noun} found, too "
        "few for a score; choose a field with more tumour.",
    )


def _mean(verdicts: Sequence[Verdict]) -> list[float]:
    """Mean probability of each score over the networks."""
    columns = zip(*(verdict.probabilities for verdict in verdicts), strict=True)
    return [sum(column) / len(verdicts) for column in columns]


def _mean_grade(verdicts: Sequence[Verdict]) -> float:
    return sum(grade * chance for grade, chance in enumerate(_mean(verdicts)))


def _says_zero(verdicts: Sequence[Verdict]) -> bool:
    """Whether 0 is the most probable score to the networks together."""
    chances = _mean(verdicts)
    return chances[0] == max(chances)
