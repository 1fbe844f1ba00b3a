"""What the commands that score have in common: their inputs, their refusals, and how they end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from her2core.common.refusal import RefusalError
from her2core.common.text import printable
from her2core.models.architectures import ARCHITECTURES
from her2core.preprocessing.picture_files import Listing, left_out_lines
from training.console import run_command

ALL_SCORED, NOTHING_DONE, SOME_NOT_SCORED = 0, 1, 2
# of the sentences on what was not scored
_MESSAGES_SHOWN = 10


def add_inputs(parser: argparse.ArgumentParser, what: str) -> None:
    """Let the command take what is to be scored (see `list_inputs`), and `models`, which score it.

    Args:
        parser: of the command.
        what: says what may be given.
    """
    sources = parser.add_mutually_exclusive_group(required=True)
    sources.add_argument("--data", type=Path, metavar="INPUT", help=what)
    sources.add_argument("input", type=Path, nargs="?", metavar="INPUT", help="the same")
    parser.add_argument(
        "--arch",
        "--models",
        dest="models",
        type=lambda text: [name.strip() for name in text.split(",")],
        default=",".join(ARCHITECTURES),
        help="which models, separated by commas (default: %(default)s)",
    )


def list_inputs(
    find: Callable[[Path], Listing], args: argparse.Namespace, what: str
) -> tuple[Listing, Path]:
    """What is to be scored, and the folder that names are relative to.

    Args:
        find: lists a folder; a file is taken as it is.
        args: of `add_inputs`.
        what: is looked for.

    Raises:
        RefusalError: it is not there, cannot be opened, or holds nothing of the kind.
    """
    source: Path = args.data or args.input
    if source.is_file():
        return Listing((), (source,), ()), source.parent
    if not source.is_dir():
        raise RefusalError(f"There is no file or folder “{path_text(source)}”.")
    try:
        found = find(source)
    except OSError as error:
        raise RefusalError(
            f"“{path_text(source)}” cannot be opened ({error.strerror}); change its permissions."
        ) from None
    if not found.pictures:
        lines = left_out_lines(found.left_out, source)
        raise RefusalError("\n- ".join([f"“{path_text(source)}” holds no {what}.", *lines]))
    return found, source


def exit_status(run: Callable[[], int], stopped: str) -> int:
    """Run a command.

    Args:
        run: the command; gives its exit status.
        stopped: what is said where the user stops it.

    Returns:
        0 all scored, 2 some not, 1 nothing could be done, 130 stopped by the user.
    """
    return run_command(run, lambda: stopped, failed=NOTHING_DONE, at_once=False)


def sum_up(
    line: str, messages: Iterable[str], left_out: Iterable[str], failed: int, rows: int
) -> int:
    """Say what was scored, and why something was not.

    Args:
        line: what was scored.
        messages: reasons; the first of them are said, each once.
        left_out: lines on what was left out.
        failed: of so many `rows` these were not scored.

    Returns:
        The exit status.
    """
    print(line, file=sys.stderr)
    for message in (*list(dict.fromkeys(messages))[:_MESSAGES_SHOWN], *left_out):
        print(f"- {message}", file=sys.stderr)
    if not failed:
        return ALL_SCORED
    return NOTHING_DONE if failed == rows else SOME_NOT_SCORED


def path_text(path: Path) -> str:
    """The path as a sentence may name it."""
    return printable(str(path))
