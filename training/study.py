"""The study repeated: both networks on HER2-IHC-40x as it is published, its test part untouched.

    python -m training.study --data HER2-IHC-40x --out FOLDER [--config recipe.toml]

trains FOLDER/cnn and FOLDER/densenet121 by the study's recipe, evaluates both on the dataset's own
test part into FOLDER/report, and writes FOLDER/study.md: the study's figures beside ours. What is
finished already is not done again, so the same command goes on after a stop.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from her2core.common.commands import command_parser
from her2core.common.files import write_atomically
from her2core.common.text import markdown_table
from her2core.evaluation.names import TITLES
from her2core.evaluation.report import REPORT_FILE, Report
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.card import CARD_FILE
from training.console import run_command

STUDY_FILE = "study.md"
# what the study tells of its test part; it does not say of which network
_STUDY = {"accuracy": "0.9362"}
_ROWS = ("accuracy", "kappa", "macro_f1")
_REPORT_OF_SOME = 2


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("training.study", __doc__)
    parser.add_argument("--data", required=True, type=Path, help="the dataset's folder")
    parser.add_argument("--out", required=True, type=Path, help="folder of bundles and report")
    parser.add_argument("--config", type=Path, help="another recipe than the study's, for both")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when all is there, else what the failing command returned."""
    args = _parser().parse_args(arguments)
    return run_command(lambda: _run(args), lambda: "Stopped; the same command goes on.")


def _run(args: argparse.Namespace) -> int:
    config = [] if args.config is None else ["--config", str(args.config)]
    for architecture in ARCHITECTURES:
        out = args.out / architecture
        if not (out / CARD_FILE).is_file():
            named = ["--arch", architecture, "--data", str(args.data), "--out", str(out)]
            code = _ended("training.train", *named, *config, "--resume")
            if code:
                return code
    report = args.out / "report"
    if not (report / REPORT_FILE).is_file():
        bundles = ",".join(str(args.out / architecture) for architecture in ARCHITECTURES)
        named = ["--data", str(args.data), "--bundles", bundles, "--out", str(report)]
        code = _ended("training.evaluate", *named, "--title", "The study repeated")
        if code not in (0, _REPORT_OF_SOME):
            return code
    text = table(Report.read(report / REPORT_FILE))
    write_atomically(args.out / STUDY_FILE, text.encode())
    print(text)
    return 0


def _ended(module: str, *arguments: str) -> int:
    """A command's exit status; a process for each, so that memory is given back between them."""
    return subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode


def table(report: Report) -> str:
    """The study's figures beside those of a report, as Markdown."""
    from her2core.charts.words import figure_text

    readers = report.evaluation.readers
    rows = []
    for name in _ROWS:
        figures = [reader.figure(name) for reader in readers]
        ours = ["–" if figure is None else figure_text(figure.value) for figure in figures]
        rows.append([TITLES[name], _STUDY.get(name, "–"), *ours])
    titles = [reader.title for reader in readers]
    head = [f"{report.evaluation.n} test patches", "the study", *titles]
    notes = [note for note in (report.evaluation.caution, *report.notes) if note]
    return "\n".join([*markdown_table(head, rows), *notes]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
