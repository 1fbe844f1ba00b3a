"""Double reads as a CSV table: both answers, and what the double read came to."""

from her2core.common.csv_table import csv_table
from her2core.reviews.double_reads import DoubleRead, Plan

COLUMNS = (
    "patch_sha256",
    "blind",
    "reader_1",
    "score_1",
    "reader_2",
    "score_2",
    "stage",
    "adjudicator",
    "final_score",
)


def to_csv(plan: Plan) -> bytes:
    """All double reads, one a row; answers of those still being read are left empty.

    Returns:
        UTF-8 with a byte order mark, so that spreadsheets read it; names are inert there.
    """
    return csv_table([COLUMNS, *map(_row, plan.double_reads.values())])


def _row(read: DoubleRead) -> list[str]:
    cells = [read.sha256, "yes" if read.blind else "no"]
    for reader in read.readers:
        answer = None if read.sealed else read.answers[reader]
        cells += [reader, answer.score.key if answer else ""]
    # a claim without a decision is nobody's adjudication yet
    third = read.adjudicator if read.decision is not None else None
    final = read.score
    return [*cells, read.stage, third or "", final.key if final else ""]
