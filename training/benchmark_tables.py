"""What the benchmarks measured, as Markdown tables for the documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.switch_table import switch_lines


class FiguresError(ValueError):
    """The figures cannot be written; str(error) is one sentence."""


def speed_lines(results: Path) -> Iterator[str]:
    """The benchmark's rows."""
    try:
        rows: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
        yield f"Speed, by `make bench` on {cell(rows[0]['machine'])}:"
        yield ""
        yield "| | plain way | here | ratio | goal | holds |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for row in rows:
            peer = "–" if row["peer"] is None else f"{row['peer']:.3f} {row['unit']}"
            ratio = "–" if row["ratio"] is None else f"{row['ratio']:.2f}"
            name = f"{row['name']} (against {row['against']})" if row["peer"] else row["name"]
            sign = "at most" if row["share"] else "at least"
            goal = "–" if row["goal"] is None else f"{sign} {row['goal']:g}"
            holds = {None: "–", True: "yes", False: "**no**"}[row["holds"]]
            ours = f"{row['ours']:.3f} {row['unit']}"
            yield f"| {cell(name)} | {peer} | {ours} | {ratio} | {goal} | {holds} |"
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise FiguresError(f"{results} is not what `make bench` writes; run it again.") from error
    yield ""


def figure_lines(results: Path, title: str) -> Iterator[str]:
    """Figures that have a goal at most and no peer (`benchmarks.figure`).

    Raises:
        FiguresError: the file is not one of those.
    """
    try:
        rows: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
        yield f"{title}, by `python -m benchmarks.{results.stem}`:"
        yield ""
        yield "| | value | goal | holds | n | |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for row in rows:
            value = "–" if row["value"] is None else f"{row['value']:.4g} {row['unit']}"
            goal = (row["goal"] or "–").replace("<=", "at most").replace(">=", "at least")
            holds = {None: "–", True: "yes", False: "**no**"}[row["holds"]]
            cells = (row["name"], value, goal, holds, str(row["n"]), row["note"])
            yield f"| {' | '.join(cell(each) for each in cells)} |"
    except (ValueError, KeyError, TypeError) as error:
        raise FiguresError(
            f"{results} is not what `python -m benchmarks.{results.stem}` writes; run it again."
        ) from error
    yield ""


def two_sample_lines(results: Path) -> Iterator[str]:
    """How well a small classifier tells real from synthetic patches."""
    try:
        yield "| Scores | real crops (cores) | synthetic | AUC | what tells them apart most |"
        yield "| --- | --- | --- | --- | --- |"
        for row in json.loads(results.read_text(encoding="utf-8")):
            telling = cell("; ".join(row["telling"][:3]))
            yield (
                f"| {row['name']} | {row['real']} ({row['cores']}) | {row['synthetic']} "
                f"| {row['auc']:.2f} | {telling} |"
            )
    except (ValueError, KeyError, TypeError) as error:
        raise FiguresError(
            f"{results} is not what `python -m benchmarks.real_vs_synthetic` writes; run it again."
        ) from error


def switches_lines(results: Path) -> Iterator[str]:
    """What each switch of the recipe does.

    Raises:
        FiguresError: the file is not that benchmark's.
    """
    try:
        yield from switch_lines(results)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise FiguresError(
            f"{results} is not what `python -m benchmarks.recipe_switches` writes; run it again."
        ) from error


def cell(text: str) -> str:
    """Text that neither ends a table cell nor begins markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
