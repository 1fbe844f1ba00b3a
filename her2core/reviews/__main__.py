"""The review log on the command line: check it, back it up, take it along, forget images.

Exit status: 0 done (verify: intact), 1 broken or refused, 2 the log could not be read or written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.backup import backup, ends_in
from her2core.reviews.chain import ChainHead
from her2core.reviews.database import sqlite_file
from her2core.reviews.retention import forget_images
from her2core.reviews.store import ReviewStore, StoreError
from her2core.reviews.study import StudyError
from her2core.reviews.study_transfer import export_study, import_study
from her2core.settings import Settings, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        url: str = options.database or settings.database_url
        status: int = options.run(url, settings, options)
    except StudyError as error:
        print(error, file=sys.stderr)
        return 1
    except (StoreError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"A file could not be read or written ({error.strerror}).", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m her2core.reviews", description=__doc__)
    parser.set_defaults(database=None)
    commands = parser.add_subparsers(dest="command", required=True)

    check = commands.add_parser("verify", help="check the hash chain of the review log")
    check.add_argument(
        "--contains",
        metavar="HASH",
        action="append",
        default=[],
        help="also check that this hash, noted earlier, is still in log or register (repeatable)",
    )
    check.set_defaults(run=_verify)

    anew = commands.add_parser("rebuild", help="compute anew what pages ask of the log")
    anew.set_defaults(run=_rebuild)

    copy = commands.add_parser("backup", help="copy the SQLite database while reviews go on")
    copy.add_argument("file", type=Path, metavar="FILE", help="a file that does not exist yet")
    copy.set_defaults(run=_backup)

    out = commands.add_parser("export-study", help="everything, with images, into one ZIP")
    out.add_argument("file", type=Path, metavar="FILE.zip", help="a file that does not exist yet")
    out.set_defaults(run=_export)

    into = commands.add_parser("import-study", help="take over what is new in such a ZIP")
    into.add_argument("file", type=Path, metavar="FILE.zip")
    into.set_defaults(run=_import)

    forget = commands.add_parser("forget-images", help="delete old images and answers never saved")
    forget.add_argument("--older-than", type=int, required=True, metavar="DAYS")
    forget.set_defaults(run=_forget)

    for command in (check, anew, copy, out, into, forget):
        command.add_argument("--database", metavar="URL", help="default: this installation's own")
    return parser


def _verify(url: str, _settings: Settings, options: argparse.Namespace) -> int:
    with _existing(url) as store:
        broken = store.verify_chain()
        broken += [
            f"Neither an entry nor a line of the register has the hash {value}: something was "
            "rewritten or cut since it was noted."
            for value in options.contains
            if not store.has_hash(value)
        ]
        head, line = store.head(), store.register_head()
    for sentence in broken:
        print(sentence)
    if broken or head is None or line is None:
        return 1
    print(f"Intact: {_ends(head, line)}")
    return 0


def _rebuild(url: str, _settings: Settings, _options: argparse.Namespace) -> int:
    with _existing(url) as store:
        wrong = store.rebuild()
    for sentence in wrong:
        print(sentence)
    print("What pages ask of the log was computed anew.")
    return 1 if wrong else 0


def _backup(url: str, _settings: Settings, options: argparse.Namespace) -> int:
    size = backup(url, options.file)
    print(f"Backed up to '{options.file}' ({size:,} bytes), checked.")
    ends = ends_in(options.file)
    if ends is not None:
        print(f"Note this elsewhere: {_ends(*ends)}")
    print("It holds the review database; images are in the folder 'patches' of HER2_HOME.")
    return 0


def _export(url: str, settings: Settings, options: argparse.Namespace) -> int:
    with _existing(url) as store:
        done = export_study(store, ImageStore(settings.image_dir), options.file)
    print(f"Exported {done.entries} log entries and {done.patches} patches to '{options.file}'.")
    if done.missing_images:
        print(f"{done.missing_images} images are not kept here any more; the study says which.")
    print("The file holds names and comments: keep it as you keep the database.")
    return 0


def _import(url: str, settings: Settings, options: argparse.Namespace) -> int:
    images = ImageStore(settings.image_dir) if settings.store_images else None
    with closing(ReviewStore(url)) as store:
        done = import_study(store, images, options.file, settings.limits)
    print(
        f"Imported {done.entries} log entries, {done.patches} patches and {done.images} images; "
        "what was known already stayed as it was."
    )
    return 0


def _forget(url: str, settings: Settings, options: argparse.Namespace) -> int:
    with _existing(url) as store:
        done = forget_images(store, ImageStore(settings.image_dir), options.older_than)
    print(
        f"Deleted {done.images} images ({done.bytes:,} bytes); {done.left} stay. "
        f"Answers begun and never saved that were forgotten, too: {done.answers}. "
        "Reviews are untouched."
    )
    return 0


def _ends(head: ChainHead, line: ChainHead) -> str:
    """Where log and register end, as it is noted elsewhere and given to `verify --contains`."""
    return (
        f"{head.last_id} entries; hash of the last: {head.last_hash}\n"
        f"Register of patches, double reads, showings and audit: {line.last_id} lines; "
        f"hash of the last: {line.last_hash}"
    )


def _existing(url: str) -> closing[ReviewStore]:
    """The store of a database that is there: a mistyped name must not make an empty one."""
    file = sqlite_file(url)
    if file is not None and not file.is_file():
        raise StoreError(f"There is no review database at '{file}'.")
    return closing(ReviewStore(url))


if __name__ == "__main__":
    sys.exit(main())
