"""A large square is read in parts, because a network sees 224 pixels and a membrane is 1 µm wide.

A field of 400 µm on 224 pixels has 1.8 µm a pixel: no membrane is left to be seen. Where the square
has twice the pixels, it is cut in four, each part is read, and the square gets the reading of its
strongest part: one of four is a quarter of the field, more than the share that the ASCO/CAP rule
asks for. How wide the field is in µm does not matter: nuclei tell it too roughly, and on fields of
90 to 150 µm the parts are read as rightly as the whole (docs/external.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from her2core.models.bundles.card import PartReading
from her2core.preprocessing.patches import MODEL_SIDE, Patch, Square
from her2core.scores import HER2Score

_ACROSS = 2


@dataclass(frozen=True)
class PartRead:
    """What a network says of one part of a square.

    Attributes:
        square: the part, in pixels of the image.
        probabilities: of the four classes in clinical order.
        decides: the verdict is this part's.
    """

    square: Square
    probabilities: tuple[float, float, float, float]
    decides: bool

    @property
    def score(self) -> HER2Score:
        """What the network says of this part alone."""
        return HER2Score.most_probable(self.probabilities)


def squares_read(patch: Patch, reading: PartReading | None) -> tuple[Square, ...]:
    """The squares that a network reads of a patch: its own, then the parts where it is cut."""
    whole = patch.square
    if reading is None or whole.size < _ACROSS * MODEL_SIDE:
        return (whole,)
    size = whole.size // _ACROSS
    return (
        whole,
        *(
            Square(whole.x + column * size, whole.y + row * size, size)
            for row in range(_ACROSS)
            for column in range(_ACROSS)
        ),
    )


def place_of(part: Square, whole: Square) -> str:
    """Where a part lies in its square, e.g. "upper left"."""
    row = "upper" if part.y == whole.y else "lower"
    return f"{row} {'left' if part.x == whole.x else 'right'}"


def strongest(probabilities: Sequence[Sequence[float]] | npt.NDArray[np.floating[Any]]) -> int:
    """Which of the squares of `squares_read` the verdict is taken from, given each one's (k, 4).

    The part with the highest expected grade; the whole where it was not cut.
    """
    if len(probabilities) == 1:
        return 0
    grades = np.asarray(probabilities, np.float64)[1:] @ np.arange(4)
    return 1 + int(grades.argmax())
