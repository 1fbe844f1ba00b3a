"""Write the documents' figures from what was measured, so that no figure is ever typed by hand.

    python -m training.figures

Reads data/reports/*/report.json, data/bundles/*/card.json and benchmarks/*.json, and replaces what
stands between the two markers of docs/figures.md. What is missing is left out and said to be.
(The README's table is written by `python -m benchmarks.external`.)
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from her2core.charts.words import METHOD, count_of, figure_text, pair_lines, third_reader_lines
from her2core.common.commands import command_parser
from her2core.common.refusal import RefusalError
from her2core.common.text import interval_text, markdown_cell, markdown_table
from her2core.evaluation.names import CUT_OFFS, TITLES
from her2core.evaluation.report import Report, find_reports
from her2core.models.bundles.card import CARD_FILE, ModelCard
from her2core.scores import RULE_TEXT
from her2core.settings import PROJECT_ROOT
from training.console import run_command

BEGIN, END = "<!-- figures:begin", "<!-- figures:end -->"
_ROWS = (
    ("accuracy", ""),
    ("within_one", ""),
    ("macro_f1", ""),
    ("macro_roc_auc", ""),
    ("kappa", ""),
    ("ece", ""),
    ("set_coverage", ""),
    ("set_size", ""),
    ("sensitivity", CUT_OFFS[0].name),
    ("specificity", CUT_OFFS[0].name),
)
_HOLDS = {None: "–", True: "yes", False: "**no**"}
# benchmarks whose figures have no peer
_MEASURED = {
    "stain": "The stain measurement",
    "novelty": "Knowing unfamiliar patches",
    "quality": "Quality findings",
}
_CARD_FIGURES = (
    "exact",
    "macro F1",
    "calibration error",
    "prediction set coverage",
    "cores exact",
    "cores within one grade",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when the page holds the figures, 1 otherwise."""
    parser = command_parser("training.figures", __doc__)
    parser.add_argument("--root", type=Path, default=PROJECT_ROOT, help="folder of the project")
    root: Path = parser.parse_args(arguments).root

    def run() -> int:
        page = root / "docs" / "figures.md"
        page.write_text(with_block(page, block(root)), encoding="utf-8")
        print("docs/figures.md holds the figures of reports, cards and benchmarks.")
        return 0

    return run_command(run, lambda: "Stopped.")


def with_block(page: Path, text: str) -> str:
    """The page with the text between its markers.

    Raises:
        RefusalError: a marker is missing, or stands in the wrong order.
    """
    readme = page.read_text(encoding="utf-8")
    start, end = readme.find(BEGIN), readme.find(END)
    if not 0 <= start < end:
        raise RefusalError(
            f"{page.name} needs a line “{BEGIN} ... -->” and a line “{END}” below it."
        )
    first_line = readme[start : readme.index("\n", start)]
    return f"{readme[:start]}{first_line}\n\n{text.strip()}\n\n{readme[end:]}"


def block(root: Path) -> str:
    """All figures of reports, cards and benchmarks, as Markdown.

    Raises:
        RefusalError: a file is there and cannot be read.
    """
    reports = [Report.read(path) for path in find_reports((root / "data" / "reports",)).values()]
    cards = [ModelCard.read(p) for p in sorted((root / "data" / "bundles").glob(f"*/{CARD_FILE}"))]
    lines: list[str] = []
    for report in reports:
        lines += _report_lines(report)
    if reports:
        lines += [METHOD, ""]
    else:
        lines += ["No report has been made yet: `make evaluation` makes it.", ""]
    if cards:
        lines += list(_card_lines(cards))
    results = root / "benchmarks" / "results.json"
    if results.is_file():
        lines += list(_speed_lines(results))
    for name, title in _MEASURED.items():
        measured = root / "benchmarks" / f"{name}.json"
        if measured.is_file():
            lines += list(_figure_lines(measured, title))
    return "\n".join(lines)


def _report_lines(report: Report) -> Iterator[str]:
    """One report as a paragraph, a table and how the models differ."""
    found = report.evaluation
    yield (
        f"**{markdown_cell(report.title)}** ({count_of(found.n, 'patch', 'patches')} of "
        f"{count_of(found.groups, 'group')}, {report.created[:10]}):"
    )
    yield ""
    rows = []
    for name, of in _ROWS:
        figures = [reader.figure(name, of) for reader in found.readers]
        if any(figure is not None and figure.value.value is not None for figure in figures):
            cells = ["–" if figure is None else figure_text(figure.value) for figure in figures]
            rows.append([f"{of}: {TITLES[name].lower()}" if of else TITLES[name], *cells])
    levels = [reader.group_level for reader in found.readers]
    for words, attribute in (("exact", "exact"), ("within one grade", "within_one")):
        values = [getattr(level, attribute) for level in levels if level is not None]
        if len(values) == len(levels):
            cells = [f"{figure_text(value)}, n = {value.n}" for value in values]
            rows.append([f"Groups by the {RULE_TEXT} rule, {words}", *cells])
    yield from markdown_table(["", *(reader.title for reader in found.readers)], rows)
    for line in (*pair_lines(found), *third_reader_lines(found), found.caution, *report.notes):
        if line:
            yield markdown_cell(line)
            yield ""


def _card_lines(cards: Sequence[ModelCard]) -> Iterator[str]:
    """What the cards of the shipped bundles state; nothing where they state none of these."""
    rows = [
        (
            card.name,
            metric.name,
            interval_text(metric.value, metric.ci_low, metric.ci_high),
            str(metric.n),
            metric.set,
        )
        for card in cards
        for metric in card.metrics
        if metric.name in _CARD_FIGURES
    ]
    if rows:
        yield "What the bundles' cards state of themselves:"
        yield ""
        yield from markdown_table(("Bundle", "Figure", "Value", "n", "Measured on"), rows)


def _speed_lines(results: Path) -> Iterator[str]:
    """The benchmark's rows."""
    with _written_by(results, "make bench"):
        rows = _rows(results)
        yield f"Speed, by `make bench` on {markdown_cell(rows[0]['machine'])}:"
        yield ""
        cells = [
            (
                f"{row['name']} (against {row['against']})" if row["peer"] else row["name"],
                "–" if row["peer"] is None else f"{row['peer']:.3f} {row['unit']}",
                f"{row['ours']:.3f} {row['unit']}",
                "–" if row["ratio"] is None else f"{row['ratio']:.2f}",
                _goal("at most" if row["share"] else "at least", row["goal"]),
                _HOLDS[row["holds"]],
            )
            for row in rows
        ]
        yield from markdown_table(("", "plain way", "here", "ratio", "goal", "holds"), cells)


def _goal(sign: str, goal: float | None) -> str:
    return "–" if goal is None else f"{sign} {goal:g}"


def _figure_lines(results: Path, title: str) -> Iterator[str]:
    """Figures that have a goal at most and no peer (`benchmarks.figure`).

    Raises:
        RefusalError: the file is not one of those.
    """
    with _written_by(results, f"python -m benchmarks.{results.stem}"):
        yield f"{title}, by `python -m benchmarks.{results.stem}`:"
        yield ""
        cells = [
            (
                row["name"],
                "–" if row["value"] is None else f"{row['value']:.4g} {row['unit']}",
                (row["goal"] or "–").replace("<=", "at most").replace(">=", "at least"),
                _HOLDS[row["holds"]],
                str(row["n"]),
                row["note"],
            )
            for row in _rows(results)
        ]
        yield from markdown_table(("", "value", "goal", "holds", "n", ""), cells)


@contextmanager
def _written_by(results: Path, command: str) -> Iterator[None]:
    """What cannot be read as the command's file is a RefusalError that names the command."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise RefusalError(f"{results} is not what `{command}` writes; run it again.") from error


def _rows(results: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
    return rows


if __name__ == "__main__":
    sys.exit(main())
