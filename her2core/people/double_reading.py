"""Who reads what, and how far it is: assignments as they stand. Pure functions.

What one double read has come to is in `her2core.reviews.double_reads`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from her2core.reviews.double_reads import DoubleRead, GivenScore, blinded_answers, latest

__all__ = ["DoubleRead", "GivenScore", "Kind", "Plan", "Progress", "blinded_answers", "latest"]

Kind = Literal["single", "double", "adjudication"]


@dataclass(frozen=True)
class Progress:
    """How far one reader is with what was given to them."""

    name: str
    assigned: int
    done: int

    @property
    def left(self) -> int:
        """Patches still to be read."""
        return self.assigned - self.done


@dataclass(frozen=True)
class Plan:
    """All assignments as they stand; what the desk is made of.

    Attributes:
        kinds: sha256 -> name -> what the patch was given to them as.
        double_reads: sha256 -> the double read.
        reviewed: (name, sha256) of every recorded review.
    """

    kinds: dict[str, dict[str, Kind]] = field(default_factory=dict)
    double_reads: dict[str, DoubleRead] = field(default_factory=dict)
    reviewed: frozenset[tuple[str, str]] = frozenset()

    def kind(self, sha256: str, name: str) -> Kind | None:
        """As what this patch was given to this person, None where it was not."""
        return self.kinds.get(sha256, {}).get(name)

    def is_free(self, sha256: str) -> bool:
        """Given to nobody, hence everybody's."""
        return sha256 not in self.kinds

    def is_sealed(self, sha256: str) -> bool:
        """An answer of its double read is missing: the answers given are shown to nobody else."""
        read = self.double_reads.get(sha256)
        return read is not None and read.sealed
