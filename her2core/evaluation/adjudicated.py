"""Where a double read was decided by a third: whose score the decision was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from her2core.evaluation.comparisons import scores_of
from her2core.reviews.double_reads import DoubleRead
from her2core.reviews.log_columns import LogColumns


@dataclass(frozen=True)
class Decided:
    """Answers to decided double reads: whether reader and model had the adjudicator's score."""

    both: int = 0
    reviewer: int = 0
    model: int = 0
    neither: int = 0

    @property
    def n(self) -> int:
        """How many answers."""
        return self.both + self.reviewer + self.model + self.neither


def decided(
    log: LogColumns, reads: Iterable[DoubleRead], architecture: str, model_id: str | None = None
) -> Decided:
    """Count the answers in the log that an adjudicator decided on.

    Args:
        log: entries that may be told of.
        reads: double reads, decided or not.
        architecture: of the model.
        model_id: one version of it; all pooled when None.
    """
    scores = scores_of(log, architecture, model_id)
    place = {number: at for at, number in enumerate(log.ids.tolist())}
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for read in reads:
        if read.decision is None:
            continue
        for answer in read.answers.values():
            at = place.get(answer.review_id)
            if at is None or scores[at] < 0 or not log.assessable[at]:
                continue
            right = int(read.decision.score)
            counts[answer.score == right, bool(scores[at] == right)] += 1
    return Decided(*counts.values())
