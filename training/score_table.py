"""The table of scores: its columns, its rows, and how it is written."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from her2core.common.files import write_atomically
from her2core.common.text import cell_text
from her2core.models.assessable import ASSESSABLE, NOT_ASSESSABLE, Assessability
from her2core.models.verdict import Verdict
from her2core.scores import HER2Score

COLUMNS = (
    "file",
    "sha256",
    "model",
    *(f"p_{score.column}" for score in HER2Score),
    "score",
    "novelty",
    "status",
    "message",
    "backend",
)
SCORED, NOT_SCORED = "scored", "not scored"

Row = dict[str, str]


@dataclass(frozen=True)
class Entry:
    """What is kept of a file while its patch is on its way through the models."""

    file: str
    sha256: str
    message: str


def scored_row(entry: Entry, verdict: Verdict, assessability: Assessability = ASSESSABLE) -> Row:
    """The row of a file and a model that read it.

    A field that is not assessable has no score; what the model said stays in the probabilities.
    """
    status, message = SCORED, entry.message
    if not assessability.assessable:
        status, message = NOT_ASSESSABLE, f"{assessability.reason} {entry.message}".strip()
    chances = dict(zip(COLUMNS[3:7], verdict.probabilities, strict=True))
    return {
        **_row(entry, verdict.model_id, status, message),
        # Nine digits carry a float32 exactly.
        **{column: f"{chance:.9g}" for column, chance in chances.items()},
        "score": verdict.score.key if assessability.assessable else "",
        "novelty": "" if verdict.novelty is None else f"{verdict.novelty:.3f}",
        "backend": verdict.backend,
    }


def unscored_row(entry: Entry, model: str, message: str) -> Row:
    """The row of a file and a model that did not read it, and why."""
    return _row(entry, model, NOT_SCORED, message)


def _row(entry: Entry, model: str, status: str, message: str) -> Row:
    empty = dict.fromkeys(COLUMNS, "")
    return {
        **empty,
        "file": cell_text(entry.file),
        "sha256": entry.sha256,
        "model": model,
        "status": status,
        "message": cell_text(message),
    }


def write_table(target: Path, rows: Iterable[Row]) -> None:
    """Write the table so that no half of it is ever seen.

    Raises:
        OSError: it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(target, text.getvalue().encode())
