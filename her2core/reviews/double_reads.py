"""Who is to read what, and what a double read has come to. Pure functions.

Two readers answer without seeing each other's answer, in a blind read without the models'
verdicts either. Where their scores differ, an adjudicator who has read neither decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from her2core.scores import HER2Score

Kind = Literal["single", "double", "adjudication"]
Stage = Literal["reading", "agreed", "disagreed", "adjudicated"]


@dataclass(frozen=True)
class GivenScore:
    """One entry of the log about a patch: its number, whose it is, and the score."""

    review_id: int
    reviewer: str
    score: HER2Score


@dataclass(frozen=True)
class DoubleRead:
    """A double read as it stands.

    Attributes:
        sha256: of the patch.
        readers: names of the two readers.
        blind: the verdicts are hidden, too, until both answers are in.
        answers: reader -> what they answered by the time the second answer came in; while the
            first is waited for, what there is.
        adjudicator: name of the third, None while there is none.
        decision: the adjudicator's answer, None while there is none.
    """

    sha256: str
    readers: tuple[str, ...]
    blind: bool
    answers: Mapping[str, GivenScore]
    adjudicator: str | None = None
    decision: GivenScore | None = None

    @property
    def sealed(self) -> bool:
        """An answer is still missing, so that neither may see the other's."""
        return len(self.answers) < len(self.readers)

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        if self.sealed:
            return "reading"
        if len({answer.score for answer in self.answers.values()}) == 1:
            return "agreed"
        return "adjudicated" if self.decision is not None else "disagreed"

    @property
    def score(self) -> HER2Score | None:
        """The score it ends with; None while it has not ended."""
        if self.stage == "agreed":
            return next(iter(self.answers.values())).score
        return self.decision.score if self.decision is not None else None


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


def blinded_answers(readers: Sequence[str], log: Sequence[GivenScore]) -> dict[str, GivenScore]:
    """Each reader's answer that counts: the last one given before the second reader's first.

    A correction made while the other's answer is still unknown replaces the first answer; one made
    later stands in the log, but has seen the other's answer and does not count here.

    Args:
        readers: their names.
        log: all entries about the patch.
    """
    own = {
        reader: sorted((a for a in log if a.reviewer == reader), key=lambda a: a.review_id)
        for reader in readers
    }
    given = {reader: answers for reader, answers in own.items() if answers}
    if len(given) < len(readers):
        return {reader: answers[-1] for reader, answers in given.items()}
    unsealed = max(answers[0].review_id for answers in given.values())
    return {
        reader: [answer for answer in answers if answer.review_id <= unsealed][-1]
        for reader, answers in given.items()
    }


def latest(reviewer: str | None, log: Sequence[GivenScore]) -> GivenScore | None:
    """The last entry of one person about the patch."""
    own = [answer for answer in log if answer.reviewer == reviewer]
    return max(own, key=lambda answer: answer.review_id, default=None)
