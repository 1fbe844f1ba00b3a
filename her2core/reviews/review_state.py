"""An entry of the log as its filters ask about it; computed of the entry's own rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from her2core.models.assessable import assess_tumour
from her2core.models.verdict import Verdict
from her2core.reviews import stain_rows
from her2core.reviews.queries import to_verdict
from her2core.reviews.schema import (
    PatchRow,
    ReviewRow,
    ReviewStainRow,
    ReviewVerdictRow,
    StainReadingRow,
    VerdictRow,
)
from her2core.reviews.worklist import model_gap


def rows(session: Session, ids: Collection[int]) -> list[dict[str, Any]]:
    """The rows of `ReviewStateRow` for these entries."""
    verdicts: dict[int, list[Verdict]] = defaultdict(list)
    for review_id, verdict in session.execute(
        select(ReviewVerdictRow.review_id, VerdictRow)
        .join(VerdictRow, ReviewVerdictRow.verdict_id == VerdictRow.id)
        .where(ReviewVerdictRow.review_id.in_(ids))
    ):
        verdicts[review_id].append(to_verdict(verdict))
    measured = {
        review_id: stain_rows.to_reading(row)
        for review_id, row in session.execute(
            select(ReviewStainRow.review_id, StainReadingRow)
            .join(StainReadingRow, ReviewStainRow.stain_reading_id == StainReadingRow.id)
            .where(ReviewStainRow.review_id.in_(ids))
        )
    }
    later = aliased(ReviewRow)
    entries = session.execute(
        select(ReviewRow, PatchRow.name, PatchRow.sha256, later.id)
        .join(PatchRow, ReviewRow.patch_id == PatchRow.id)
        .outerjoin(later, later.supersedes == ReviewRow.id)
        .where(ReviewRow.id.in_(ids))
    )
    return [
        {
            "review_id": entry.id,
            "patch_id": entry.patch_id,
            "reviewer_id": entry.reviewer_id,
            "superseded": later_id is not None,
            "gap": model_gap(verdicts[entry.id]),
            "same": all(one.score == entry.own_score for one in verdicts[entry.id])
            if verdicts[entry.id]
            else None,
            "assessable": assess_tumour(
                verdicts[entry.id], measured.get(entry.id), entry.square_size
            ).assessable,
            "search": f"{entry.comment}\n{name}\n{sha256}".casefold(),
        }
        for entry, name, sha256, later_id in entries
    ]
