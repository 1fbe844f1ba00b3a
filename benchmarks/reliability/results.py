"""The results' JSON files, and what they say of the machine they were measured on."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import processor_name
from her2core import __version__
from her2core.common.files import write_atomically

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent


def machine() -> dict[str, Any]:
    """Cores this process may use, kind of processor, Python, commit, time (UTC)."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": processor_name(),
        "python": platform.python_version(),
        "version": __version__,
        "commit": commit or None,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write(name: str, result: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Write one result as `name`.json; returns where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    text = json.dumps({**result, "machine": machine()}, indent=2) + "\n"
    write_atomically(path, text.encode())
    return path


def read_all(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """All results in a folder, by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def read_pages(path: Path = FOLDER.parent / "pages.json") -> list[dict[str, Any]]:
    """The rows of `benchmarks.pages`; none where it was not run."""
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
    return rows


def percentile(values: list[float], share: float) -> float | None:
    """The value which this share (0 to 1) of the values does not exceed; None without any."""
    if not values:
        return None
    return float(np.quantile(values, share, method="inverted_cdf"))
