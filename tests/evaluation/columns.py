"""Reviews as the columns that figures are made of, for tests without a database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

import numpy as np

from her2core.reviews.log_columns import LogColumns, Readings
from her2core.reviews.records import Review


def columns_of(reviews: Iterable[Review]) -> LogColumns:
    """The same as a store with these entries would give."""
    log = sorted(reviews, key=lambda review: review.id)
    names = list(dict.fromkeys(one.reviewer for one in log))
    patches = list(dict.fromkeys(one.patch.sha256 for one in log))
    places = list(dict.fromkeys((one.patch.sha256, one.square) for one in log))
    readings = {}
    for architecture in sorted({v.architecture for one in log for v in one.verdicts}):
        said = [one.verdict(architecture) for one in log]
        ids = list(dict.fromkeys(verdict.model_id for verdict in said if verdict))
        readings[architecture] = Readings(
            np.array([-1 if v is None else int(v.score) for v in said]),
            np.array([-1 if v is None else ids.index(v.model_id) for v in said]),
            tuple(ids),
        )
    return LogColumns(
        ids=np.array([one.id for one in log], int),
        patches=np.array([patches.index(one.patch.sha256) for one in log], int),
        places=np.array([places.index((one.patch.sha256, one.square)) for one in log], int),
        reviewers=np.array([names.index(one.reviewer) for one in log], int),
        own=np.array([int(one.own_score) for one in log], int),
        blind=np.array([one.blind for one in log], bool),
        days=np.array([one.recorded_at.astimezone(UTC).toordinal() for one in log], int),
        current=np.array([one.superseded_by is None for one in log], bool),
        assessable=np.array([one.assessability().assessable for one in log], bool),
        names=tuple(names),
        readings=readings,
    )
