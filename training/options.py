"""Options that several commands have, and what they name."""

import argparse
import sys
from pathlib import Path

from her2core.training.data.layouts import Layout, read_layout


def add_data_or_reviews(parser: argparse.ArgumentParser, data: str) -> None:
    """What is learnt from: `data` says what may be named; or the reviews made here."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", help=data)
    source.add_argument(
        "--reviews", action="store_true", help="the review log of this installation"
    )


def add_group_pattern(parser: argparse.ArgumentParser) -> None:
    """How patient, slide or core is found in a file's name."""
    parser.add_argument(
        "--group-pattern",
        metavar="REGEX",
        help="one capture group finds patient, slide or core in the file name",
    )


def folders_of(text: str) -> list[Path]:
    """Folders named with commas between them."""
    return [Path(part) for part in text.split(",") if part]


def recognise(source: Path, group_pattern: str | None) -> Layout:
    """The labelled patches of a folder or table; what was recognised and left out is printed.

    Raises:
        DatasetError: see `read_layout`.
    """
    layout = read_layout(source, group_pattern)
    for line in (layout.statement, *layout.remarks):
        print(line, file=sys.stderr)
    return layout
