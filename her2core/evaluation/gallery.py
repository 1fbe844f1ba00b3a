"""Which patches are worth looking at: the worst errors, and where two models part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from her2core.evaluation.intervals import Floats, Ints


@dataclass(frozen=True)
class GalleryEntry:
    """One patch of the gallery.

    Attributes:
        kind: why it is here.
        readers: key of the model that errs, or of the two that differ.
        sha256: of the patch; its picture, where kept, is patches/<sha256>.png beside report.json.
        label: true class.
        scores: what each of the readers called it.
    """

    kind: Literal["error", "disagreement"]
    readers: tuple[str, ...]
    sha256: str
    label: int
    scores: tuple[int, ...]


def worst_errors(
    reader: str, sha256: Sequence[str], labels: Ints, probabilities: Floats, count: int
) -> tuple[GalleryEntry, ...]:
    """A model's errors: most grades off first, then the surest of itself.

    Args:
        reader: the model's key.
        sha256, labels, probabilities: of n patches; probabilities (n, 4).
        count: at most so many.
    """
    called = probabilities.argmax(axis=1)
    return tuple(
        GalleryEntry("error", (reader,), sha256[i], int(labels[i]), (int(called[i]),))
        for i in _widest(np.abs(called - labels), probabilities.max(axis=1), count)
    )


def largest_disagreements(
    readers: tuple[str, str],
    sha256: Sequence[str],
    labels: Ints,
    first: Floats,
    second: Floats,
    count: int,
) -> tuple[GalleryEntry, ...]:
    """Where two models part: most grades apart first, then the surer the less sure one is.

    Args:
        readers: keys of the models.
        sha256, labels: of n patches.
        first, second: their probabilities, (n, 4).
        count: at most so many.
    """
    one, two = first.argmax(axis=1), second.argmax(axis=1)
    sureness = np.minimum(first.max(axis=1), second.max(axis=1))
    return tuple(
        GalleryEntry("disagreement", readers, sha256[i], int(labels[i]), (int(one[i]), int(two[i])))
        for i in _widest(np.abs(one - two), sureness, count)
    )


def _widest(gap: Ints, sureness: Floats, count: int) -> Ints:
    """Numbers of at most so many patches with a gap: the widest first, then the surest."""
    return np.lexsort((-sureness, -gap))[: min(count, int((gap > 0).sum()))]
