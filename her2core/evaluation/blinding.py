"""What a report may show to somebody who reads blind, and what it has shown.

One rule: a patch that this person is still to read blind is in no figure, table, picture or file,
as if the report had never held it; and whatever a figure rests on counts as seen by who is shown
it. A figure that counted the patch would tell what was said of it: in a report of four patches at
once, in a large one by the difference between two filters or between two reports.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from her2core.evaluation.report import PATCH_FOLDER, PatchRow, Report


def to_leave_out(
    rows: Iterable[PatchRow],
    copies: Mapping[str, str],
    sealed: Collection[str],
    known: Collection[str] | None,
) -> tuple[str, ...]:
    """The patches of a report that this person is still to read blind.

    Args:
        rows: of the report.
        copies: sha256 of the report's own picture of a patch -> sha256 of the patch; see
            `stored_copies`.
        sealed: patches of double reads whose verdicts this person is not to see yet.
        known: patches that they have reviewed or whose verdicts they have seen; None where they do
            not read blind.

    Returns:
        Their sha256, in order.
    """
    hidden = {*sealed, *(patch for copy, patch in copies.items() if copy in sealed)}
    return tuple(
        sorted(
            {
                row.sha256
                for row in rows
                if row.sha256 in hidden or (known is not None and row.sha256 not in known)
            }
        )
    )


def stored_copies(report: Report, folder: Path) -> dict[str, str]:
    """sha256 of the report's own picture of a patch -> sha256 of the patch.

    Whoever takes such a picture in reads the same patch under another sha256.
    """
    copies = {}
    for entry in report.gallery:
        path = folder / PATCH_FOLDER / f"{entry.sha256}.png"
        if path.is_file():
            copies[hashlib.sha256(path.read_bytes()).hexdigest()] = entry.sha256
    return copies


def exposed_by(rows: Iterable[PatchRow], copies: Mapping[str, str]) -> AbstractSet[str]:
    """Every sha256 under which somebody who is shown figures of these rows may meet a patch."""
    patches = {row.sha256 for row in rows}
    return patches | {copy for copy, patch in copies.items() if patch in patches}
