"""Patches of a test that the models learnt from: left out of every figure, and said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from her2core.evaluation.report import PatchRow
from her2core.training.data.duplicates import Fingerprints
from her2core.training.provenance import Provenance


def without_known(
    rows: Sequence[PatchRow], prints: Fingerprints, provenance: Mapping[str, Provenance]
) -> tuple[tuple[PatchRow, ...], list[str]]:
    """The rows that no model learnt from, and a sentence for each model that knew some.

    Where they knew all, the rows stay, and the sentence says what their figures are worth.

    Args:
        rows: of n patches.
        prints: of the same patches.
        provenance: what each model learnt from, under what people call it here.
    """
    notes, known = [], np.zeros(len(rows), bool)
    for title, its in provenance.items():
        if not its.whole:
            notes.append(
                f"What {title} learnt from is not known, or not all of it: where these patches, "
                "or others of their patients, were among it, its figures are optimistic."
            )
        overlap = its.overlap(prints, [row.group for row in rows])
        known |= overlap.any
        if overlap.any.any():
            notes.append(f"{overlap.sentence(title)}.")
    if not known.any():
        return tuple(rows), notes
    if known.all():
        notes.append(
            "Every patch is known to a model, so the figures are optimistic: they tell what it "
            "remembers, not how it reads patches of others."
        )
        return tuple(rows), notes
    notes.append(f"Known patches are left out of every figure: {int(known.sum())}.")
    return tuple(row for row, which in zip(rows, known, strict=True) if not which), notes
