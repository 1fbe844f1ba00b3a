"""The external benchmark as Markdown tables: docs/external.md, README.md, the Evaluation page."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# what the rows call readers that are no single network, and the mean over all sources
MEAN, STAIN, ALL_SOURCES = "mean probability", "stain measurement", "mean of the sources"
# the score that both networks give; none where they differ
AGREED = "networks agree"
_HEAD = (
    ("accuracy", "exact"),
    ("within_one", "within one"),
    ("macro_f1", "macro F1"),
    ("kappa", "kappa"),
    ("ece", "ECE"),
)
_SHORT = tuple(column for column in _HEAD if column[0] != "macro_f1")


def read_external(path: Path) -> Mapping[str, Any] | None:
    """What `benchmarks.external` wrote, or None where it is not there or no such file."""
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        readme_lines(results)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return dict(results)


def page_lines(results: Mapping[str, Any]) -> list[str]:
    """The lines of the page from what `benchmarks.external` wrote."""
    lines = [f"Read by {', '.join(results['models'])}."]
    for selection in dict.fromkeys(row["selection"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["selection"] == selection]
        lines += ["", f"**{selection[0].upper()}{selection[1:]}**", "", *_table(rows)]
    if results.get("distances"):
        lines += [
            "",
            "How often a verdict of either network was right, by how unfamiliar the field was "
            "(all fields with a label that got a score):",
            "",
            "| | readings | exact | within one grade |",
            "| --- | --- | --- | --- |",
            *(
                f"| {row['band']} | {row['readings']} | {_part(row, 'exact')} "
                f"| {_part(row, 'within_one')} |"
                for row in results["distances"]
            ),
        ]
    if results["masks"]:
        lines += [
            "",
            f"Dice of the stain measurement's intense membrane against {results['masks']} "
            f"hand-drawn masks of over-expression: {_share(results['membrane_dice'])} (goal: at "
            "least 0.70).",
        ]
    return lines


def readme_lines(results: Mapping[str, Any]) -> list[str]:
    """The lines of the README: all fields with a label, source by source, and their mean."""
    return list(_table(labelled_rows(results), _SHORT))


def labelled_rows(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows over all fields that carry a label."""
    first = results["rows"][0]["selection"] if results["rows"] else ""
    return [row for row in results["rows"] if row["selection"] == first and row["labelled"]]


def _table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str]] = _HEAD
) -> Iterator[str]:
    names = [name for _, name in columns]
    yield (
        f"| source | reader | n | {' | '.join(names)} | 0 ↔ 3+ | unfamiliar | no score "
        "| exact of all |"
    )
    yield f"| --- | --- | --- |{' --- |' * (len(names) + 4)}"
    sources = list(dict.fromkeys(row["source"] for row in rows))
    for row in sorted(rows, key=lambda row: sources.index(row["source"])):
        figures = " | ".join(_figure(row["figures"].get(name)) for name, _ in columns)
        yield (
            f"| {row['source']} | {row['reader']} | {row['scored']} of {row['labelled']} "
            f"| {figures} | {row['far']} | {_share(row['unfamiliar'])} "
            f"| {_share(row['without_score'])} | {_share(row['exact_of_all'])} |"
        )


def _figure(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "–"
    text = f"{figure['value']:.2f}"
    if figure["low"] is not None:
        text += f" ({figure['low']:.2f}–{figure['high']:.2f})"
    return text


def _part(row: Mapping[str, Any], name: str) -> str:
    return _share(row[name] / row["readings"] if row["readings"] else None)


def right_at(results: Mapping[str, Any] | None, band: str, models: Collection[str]) -> str:
    """How often these models were right in a band, one sentence; empty where nobody knows."""
    if results is None or not set(models) <= set(results["models"]):
        return ""
    for row in results.get("distances", ()):
        if row["band"] == band and row["readings"]:
            return (
                f"Of real HER2 of breast called {band}, {row['exact']} of {row['readings']} "
                f"readings gave the label, {row['within_one']} were within one grade."
            )
    return ""


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
