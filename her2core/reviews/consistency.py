"""Answers that do not go together: agreeing with a verdict beside an own score that is another.

Such an answer is not refused. A reviewer may agree that ISH should follow, or with the direction of
a verdict; but more often it is a slip of a key, and afterwards the log cannot tell which it was.
"""

from collections.abc import Mapping, Sequence

from her2core.models.architectures import ARCHITECTURES
from her2core.models.verdict import Verdict
from her2core.scores import HER2Score


def contradiction(
    own: HER2Score | None, agrees: Mapping[str, bool | None], verdicts: Sequence[Verdict]
) -> str | None:
    """One sentence on answers that contradict the own score; None where all go together.

    Args:
        own: the reviewer's score, if chosen.
        agrees: architecture -> agree (True) or disagree (False).
        verdicts: what was agreed or disagreed with.
    """
    if own is None:
        return None
    odd = [
        f"{'agree' if agrees[verdict.architecture] else 'disagree'} with "
        f"{ARCHITECTURES[verdict.architecture].title}’s {verdict.score.label}"
        for verdict in verdicts
        if agrees.get(verdict.architecture) is not None
        and agrees[verdict.architecture] != (verdict.score == own)
    ]
    if not odd:
        return None
    return f"You score {own.label}, but {' and '.join(odd)}. If that is meant, save it as it is."
