"""What the benchmarks measured, as Markdown tables for the documents."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_HOLDS = {None: "–", True: "yes", False: "**no**"}


class FiguresError(ValueError):
    """The figures cannot be written; str(error) is one sentence."""


def speed_lines(results: Path) -> Iterator[str]:
    """The benchmark's rows."""
    with _written_by(results, "make bench"):
        rows = _rows(results)
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
            holds = _HOLDS[row["holds"]]
            ours = f"{row['ours']:.3f} {row['unit']}"
            yield f"| {cell(name)} | {peer} | {ours} | {ratio} | {goal} | {holds} |"
    yield ""


def figure_lines(results: Path, title: str) -> Iterator[str]:
    """Figures that have a goal at most and no peer (`benchmarks.figure`).

    Raises:
        FiguresError: the file is not one of those.
    """
    with _written_by(results, f"python -m benchmarks.{results.stem}"):
        rows = _rows(results)
        yield f"{title}, by `python -m benchmarks.{results.stem}`:"
        yield ""
        yield "| | value | goal | holds | n | |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for row in rows:
            value = "–" if row["value"] is None else f"{row['value']:.4g} {row['unit']}"
            goal = (row["goal"] or "–").replace("<=", "at most").replace(">=", "at least")
            holds = _HOLDS[row["holds"]]
            cells = (row["name"], value, goal, holds, str(row["n"]), row["note"])
            yield f"| {' | '.join(cell(each) for each in cells)} |"
    yield ""


@contextmanager
def _written_by(results: Path, command: str) -> Iterator[None]:
    """What cannot be read as the command's file is a FiguresError that names the command."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise FiguresError(f"{results} is not what `{command}` writes; run it again.") from error


def _rows(results: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
    return rows


def cell(text: str) -> str:
    """Text that neither ends a table cell nor begins markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
