"""What `benchmarks.recipe_switches` found, as a table: which switches earn being a default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

_FIGURES = ("kappa", "macro_f1", "calibration_error", "calibration_error_tempered")
BASE = "the study's recipe"


def switch_lines(results: Path) -> Iterator[str]:
    """Markdown: a line for each switch, means over the seeds, and for how many it was better.

    Raises:
        ValueError, KeyError, TypeError: the file is not one of the benchmark.
    """
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = found["rows"]
    setting = ", ".join(f"{name} {value}" for name, value in found["setting"].items())
    yield f"Means over the seeds ({setting}; n = {rows[0]['n']} test patches of other cameras):"
    yield ""
    yield "| Switch | kappa | macro F1 | ECE | tempered ECE | better kappa | better macro F1 |"
    yield "| --- |" + " --- |" * 6
    base = {row["seed"]: row for row in rows if row["switch"] == BASE}
    for switch in dict.fromkeys(row["switch"] for row in rows):
        mine = [row for row in rows if row["switch"] == switch]
        means = [f"{fmean(row[name] for row in mine):.3f}" for name in _FIGURES]
        better = [
            "–" if switch == BASE else _wins(mine, base, name) for name in ("kappa", "macro_f1")
        ]
        yield f"| {switch} | {' | '.join([*means, *better])} |"


def _wins(mine: list[dict[str, Any]], base: dict[int, dict[str, Any]], name: str) -> str:
    pairs = [(row[name], base[row["seed"]][name]) for row in mine if row["seed"] in base]
    return f"{sum(own > other for own, other in pairs)} of {len(pairs)} seeds"
