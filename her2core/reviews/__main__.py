"""`python -m her2core.reviews verify`: check that no entry of the review log was changed.

Exit status: 0 intact, 1 broken, 2 the log could not be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from her2core.reviews.database import sqlite_file
from her2core.reviews.store import ReviewStore, StoreError
from her2core.settings import load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m her2core.reviews", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("verify", help="check the hash chain of the review log")
    check.add_argument("--database", metavar="URL", help="default: this installation's own")
    check.add_argument(
        "--contains",
        metavar="HASH",
        action="append",
        default=[],
        help="also check that this entry hash, noted earlier, is still in the log (repeatable)",
    )
    options = parser.parse_args(arguments)
    try:
        return _verify(options.database or load_settings().database_url, options.contains)
    except (StoreError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _verify(url: str, noted: Sequence[str]) -> int:
    file = sqlite_file(url)
    if file is not None and not file.is_file():
        raise StoreError(f"There is no review database at '{file}'.")
    store = ReviewStore(url)
    try:
        broken = store.verify_chain()
        broken += [
            f"No entry has the hash {value}: the log was rewritten or cut since it was noted."
            for value in noted
            if not store.has_entry_hash(value)
        ]
        head = store.head()
    finally:
        store.close()
    for sentence in broken:
        print(sentence)
    if broken or head is None:
        return 1
    print(f"Intact: {head.last_id} entries; hash of the last: {head.last_hash}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
