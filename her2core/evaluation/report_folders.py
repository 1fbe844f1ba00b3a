"""Where reports lie, and the pictures they keep of patches."""

from __future__ import annotations

import hashlib
from pathlib import Path

from her2core.evaluation.report import PATCH_FOLDER, REPORT_FILE, Report


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


def find_reports(folders: tuple[Path, ...]) -> dict[str, Path]:
    """Readable name -> report.json of every report below these folders, own ones first.

    A name met twice (an own report called like a shipped one) gets its folder's parent in front.
    """
    reports: dict[str, Path] = {}
    for root in folders:
        for path in sorted(root.glob(f"*/{REPORT_FILE}")):
            name = path.parent.name
            reports[name if name not in reports else f"{root.parent.name}/{name}"] = path
    return reports
