"""Folders of labelled patches that commands make: class folders and truth.csv, written last."""

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from her2core.common.refusal import RefusalError

TRUTH_FILE = "truth.csv"


def add_set_options(parser: argparse.ArgumentParser) -> None:
    """Where patches go, and how large they are in pixels and in micrometres."""
    parser.add_argument("--out", type=Path, required=True, help="folder to write (made if missing)")
    parser.add_argument("--size", type=int, default=224, help="side in pixels (default 224)")
    parser.add_argument(
        "--field-um",
        type=float,
        nargs=2,
        default=(50.0, 300.0),
        metavar=("MIN", "MAX"),
        help="side of the field in micrometres, drawn log-uniformly (default 50 300)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed, 0 or more (default 0)")


def refuse_finished(out: Path) -> None:
    """Refuse a folder with a finished set.

    Raises:
        RefusalError: there is one.
    """
    if (out / TRUTH_FILE).exists():
        raise RefusalError(f"{out} already holds a finished set; choose another folder.")


def write_truth(out: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write the table of what is true of each patch.

    Raises:
        RefusalError: there is no patch.
        OSError: it cannot be written.
    """
    if not rows:
        raise RefusalError("No patch could be made; nothing was written.")
    with (out / TRUTH_FILE).open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
