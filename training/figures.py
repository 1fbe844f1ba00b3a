"""Write the documents' figures from what was measured, so that no figure is ever typed by hand.

    python -m training.figures

Reads data/reports/*/report.json, data/bundles/*/card.json and benchmarks/*.json, and replaces what
stands between the two markers of docs/figures.md. What is missing is left out and said to be.
(The README's table is written by `python -m benchmarks.external`.)
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from her2core.charts.words import METHOD, count_of, figure_text, pair_lines, third_reader_lines
from her2core.common.text import interval_text
from her2core.evaluation.names import CUT_OFFS, TITLES
from her2core.evaluation.report import Report, ReportError
from her2core.evaluation.report_folders import find_reports
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard
from her2core.scores import RULE_TEXT
from her2core.settings import PROJECT_ROOT
from training.benchmark_tables import (
    FiguresError,
    cell,
    figure_lines,
    speed_lines,
)

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
    parser = argparse.ArgumentParser(
        prog="python -m training.figures", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--root", type=Path, default=PROJECT_ROOT, help="folder of the project")
    root: Path = parser.parse_args(arguments).root
    try:
        _write(root / "docs" / "figures.md", block(root))
    except (FiguresError, ReportError, BundleError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    print("docs/figures.md holds the figures of reports, cards and benchmarks.")
    return 0


def _write(page: Path, text: str) -> None:
    page.write_text(with_block(page, text), encoding="utf-8")


def with_block(page: Path, text: str) -> str:
    """The page with the text between its markers.

    Raises:
        FiguresError: a marker is missing, or stands in the wrong order.
    """
    readme = page.read_text(encoding="utf-8")
    start, end = readme.find(BEGIN), readme.find(END)
    if not 0 <= start < end:
        raise FiguresError(
            f"{page.name} needs a line “{BEGIN} ... -->” and a line “{END}” below it."
        )
    first_line = readme[start : readme.index("\n", start)]
    return f"{readme[:start]}{first_line}\n\n{text.strip()}\n\n{readme[end:]}"


def block(root: Path) -> str:
    """All figures of reports, cards and benchmarks, as Markdown.

    Raises:
        ReportError, BundleError, FiguresError: a file is there and cannot be read.
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
        lines += list(speed_lines(results))
    for name, title in _MEASURED.items():
        measured = root / "benchmarks" / f"{name}.json"
        if measured.is_file():
            lines += list(figure_lines(measured, title))
    return "\n".join(lines)


def _report_lines(report: Report) -> Iterator[str]:
    """One report as a paragraph, a table and how the models differ."""
    found = report.evaluation
    yield (
        f"**{cell(report.title)}** ({count_of(found.n, 'patch', 'patches')} of "
        f"{count_of(found.groups, 'group')}, {report.created[:10]}):"
    )
    yield ""
    yield "| | " + " | ".join(cell(reader.title) for reader in found.readers) + " |"
    yield "| --- |" + " --- |" * len(found.readers)
    for name, of in _ROWS:
        figures = [reader.figure(name, of) for reader in found.readers]
        if any(figure is not None and figure.value.value is not None for figure in figures):
            cells = ["–" if figure is None else figure_text(figure.value) for figure in figures]
            title = f"{of}: {TITLES[name].lower()}" if of else TITLES[name]
            yield f"| {cell(title)} | {' | '.join(cells)} |"
    levels = [reader.group_level for reader in found.readers]
    for words, attribute in (("exact", "exact"), ("within one grade", "within_one")):
        values = [getattr(level, attribute) for level in levels if level is not None]
        if len(values) == len(levels):
            cells = [f"{figure_text(value)}, n = {value.n}" for value in values]
            yield f"| Groups by the {RULE_TEXT} rule, {words} | {' | '.join(cells)} |"
    yield ""
    for line in (*pair_lines(found), *third_reader_lines(found), found.caution, *report.notes):
        if line:
            yield cell(line)
            yield ""


def _card_lines(cards: Sequence[ModelCard]) -> Iterator[str]:
    """What the cards of the shipped bundles state; nothing where they state none of these."""
    if not any(metric.name in _CARD_FIGURES for card in cards for metric in card.metrics):
        return
    yield "What the bundles' cards state of themselves:"
    yield ""
    yield "| Bundle | Figure | Value | n | Measured on |"
    yield "| --- | --- | --- | --- | --- |"
    for card in cards:
        for metric in card.metrics:
            if metric.name in _CARD_FIGURES:
                figure = interval_text(metric.value, metric.ci_low, metric.ci_high)
                yield (
                    f"| {cell(card.name)} | {cell(metric.name)} | {figure} "
                    f"| {metric.n} | {cell(metric.set)} |"
                )
    yield ""


if __name__ == "__main__":
    sys.exit(main())
