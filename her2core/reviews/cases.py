"""Slide or case and label of patches, as a table beside an upload names them; what is known stays.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.common.text import storable
from her2core.reviews import derived, writing
from her2core.reviews.schema import PatchCaseRow, PatchRow
from her2core.scores import HER2Score

# longer names are cut
_LONGEST = 200


def note(session: Session, sha256: str, name: str, label: HER2Score | None) -> list[str]:
    """Keep what is not known yet of a patch; what contradicts what is known is left.

    Args:
        session: of a writing transaction.
        sha256: of a patch that is known.
        name: of its slide or case; empty: nothing is said of it.
        label: its score; None: nothing is said of it.

    Returns:
        What stands, in words, for each part that says something else.

    Raises:
        ReviewRefusedError: the patch is unknown.
    """
    patch = writing.known_patch(session, sha256)
    name = name[:_LONGEST] if storable(name) else ""
    row = session.get(PatchCaseRow, patch.id)
    if row is None:
        if name or label is not None:
            session.add(PatchCaseRow(patch_id=patch.id, name=name, label=label))
            session.flush()
        return []
    stands = []
    if name and row.name and name != row.name:
        stands.append(f"slide or case “{row.name}”")
    if label is not None and row.label is not None and label != row.label:
        stands.append(f"label {HER2Score(row.label).label}")
    row.name = row.name or name
    row.label = label if row.label is None else row.label
    session.flush()
    derived.touch(session, [patch.id])
    return stands


def named(session: Session, names: Collection[str]) -> dict[str, list[str]]:
    """Name of a file -> sha256 of the patches that are called so."""
    patches: dict[str, list[str]] = {}
    wanted = select(PatchRow.name, PatchRow.sha256).where(PatchRow.name.in_(names))
    for name, sha256 in session.execute(wanted):
        patches.setdefault(name, []).append(sha256)
    return patches
