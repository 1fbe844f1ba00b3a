"""What the commands that score have in common: their inputs, refusals and exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from her2core.common.text import printable
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.card import BundleError
from her2core.preprocessing.picture_files import Listing
from her2core.serving.workbench import NoModelError

ALL_SCORED, NOTHING_DONE, SOME_NOT_SCORED, INTERRUPTED = 0, 1, 2, 130
# of the sentences on what was not scored
MESSAGES_SHOWN = 10


class NothingDoneError(Exception):
    """Why nothing can be scored; str(error) is one sentence."""


def add_inputs(parser: argparse.ArgumentParser, what: str) -> None:
    """Let the command take what is to be scored (see `source_of`) and the models that score it.

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
        default=",".join(ARCHITECTURES),
        help="which models, separated by commas (default: %(default)s)",
    )


def source_of(args: argparse.Namespace) -> Path:
    """The file or folder to be scored."""
    source: Path = args.data or args.input
    return source


def models_of(args: argparse.Namespace) -> list[str]:
    """Architectures of the models that score."""
    return [name.strip() for name in args.models.split(",")]


def listed(find: Callable[[Path], Listing], source: Path) -> Listing:
    """`source` itself where it is a file, else what `find` lists in the folder.

    Raises:
        NothingDoneError: it is not there, or cannot be opened.
    """
    if source.is_file():
        return Listing((), (source,), ())
    if not source.is_dir():
        raise NothingDoneError(f"There is no file or folder “{path_text(source)}”.")
    try:
        return find(source)
    except OSError as error:
        raise NothingDoneError(
            f"“{path_text(source)}” cannot be opened ({error.strerror}); change its permissions."
        ) from None


def exit_status(run: Callable[[], int], stopped: str) -> int:
    """Run a command.

    Args:
        run: the command; gives its exit status.
        stopped: what is said where the user stops it.

    Returns:
        0 all scored, 2 some not, 1 nothing could be done, 130 stopped by the user.
    """
    try:
        return run()
    except (NothingDoneError, NoModelError, BundleError) as error:
        print(error, file=sys.stderr)
        return NOTHING_DONE
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        return INTERRUPTED


def path_text(path: Path) -> str:
    """The path as a sentence may name it."""
    return printable(str(path))
