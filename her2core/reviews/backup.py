"""An online backup of the review database: one file, whole and checked, while reviews go on.

Restoring is putting the file where DATABASE_URL points, with the server stopped and the files
`...-wal` and `...-shm` of the old database removed.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from her2core.common.files import new_file
from her2core.reviews.chain import ChainHead
from her2core.reviews.database import sqlite_file
from her2core.reviews.driver_errors import sentence
from her2core.reviews.errors import StoreError

_PATIENCE = 30.0


def backup(url: str, target: Path) -> int:
    """Copy the database as it is at this moment; writers go on meanwhile.

    Args:
        url: of an SQLite database.
        target: a file that does not exist yet; made for the owner alone.

    Returns:
        Bytes written.

    Raises:
        StoreError: it is no SQLite database, is not there, or the target cannot be written.
    """
    source = sqlite_file(url)
    if source is None:
        raise StoreError(
            "This review database is on a PostgreSQL server, which has its own backup: "
            "pg_dump --format=custom --file=reviews.dump DATABASE, restored with "
            "pg_restore --dbname=DATABASE reviews.dump."
        )
    if not source.is_file():
        raise StoreError(f"There is no review database at '{source}'.")
    try:
        with new_file(target) as file:
            _copy(source, Path(file.name))
            return os.fstat(file.fileno()).st_size
    except FileExistsError as error:
        raise StoreError(f"'{target}' is there already; name a new file.") from error
    except OSError as error:
        raise StoreError(f"'{target}' could not be written ({error.strerror}).") from error
    except sqlite3.Error as error:
        raise StoreError(sentence(error)) from error


def ends_in(copy: Path) -> tuple[ChainHead, ChainHead] | None:
    """Where the log and the register of a backup end, read without changing the file.

    Returns:
        None where the backup is of a version before the register.
    """
    try:
        # immutable: no file is made beside it
        address = f"{copy.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as opened:
            row = opened.execute(
                "SELECT last_id, last_hash, register_id, register_hash FROM log_head"
            ).fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else (ChainHead(row[0], row[1]), ChainHead(row[2], row[3]))


def _copy(source: Path, target: Path) -> None:
    """SQLite's own online copy, then a check of every page of it.

    Raises:
        StoreError: the copy is not sound, so the original is damaged.
        sqlite3.Error: either cannot be read or written.
    """
    with (
        closing(sqlite3.connect(source, timeout=_PATIENCE)) as original,
        closing(sqlite3.connect(target)) as copy,
    ):
        # all at once: in pieces it would begin anew with every review that is saved meanwhile
        original.backup(copy, pages=-1)
        # one file, without a write-ahead log beside it; the store switches back by itself
        copy.execute("PRAGMA journal_mode = DELETE")
        if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise StoreError(
                "The review database is damaged, so no backup was made; restore an earlier one."
            )
