"""Opening the database of the review store: durable settings, file rights, calm error sentences."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from her2core.reviews.errors import StoreError

# What SQLite says, and what a reviewer should read instead.
_SENTENCES: tuple[tuple[str, str], ...] = (
    (
        "locked",
        "The review database is busy with another program's work; nothing was changed, try again "
        "in a moment.",
    ),
    (
        "disk is full",
        "The disk that holds the review database is full; nothing was changed, free some space and "
        "try again.",
    ),
    (
        "readonly",
        "The review database is read-only; nothing was changed, give this program the right to "
        "write to the file and its folder.",
    ),
    (
        "unable to open",
        "The review database could not be opened; check that its folder exists and may be read "
        "and written.",
    ),
    (
        "not a database",
        "The file set as review database is not a database; set DATABASE_URL to another file or "
        "restore a backup.",
    ),
    ("malformed", "The review database is damaged; restore it from a backup."),
    (
        "disk i/o",
        "The disk that holds the review database reports an error; check it before going on, then "
        "try again.",
    ),
)


def open_engine(url: str, busy_seconds: float) -> Engine:
    """An engine whose commits are on the disk when they return.

    Args:
        url: SQLAlchemy URL. An SQLite file and its folder are created, for the owner alone.
        busy_seconds: how long to wait for another writer.

    Raises:
        StoreError: the URL is not one, or names no file, or the file cannot be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            "DATABASE_URL is not a database address; it looks like sqlite:////folder/file.sqlite3."
        ) from None
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite:
        _make_file(parsed)
    try:
        # hide_parameters: comments and names must not leak into error texts and logs
        engine = create_engine(
            parsed,
            hide_parameters=True,
            connect_args={"timeout": busy_seconds} if is_sqlite else {},
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        raise StoreError(
            f"No driver is installed for the database kind '{parsed.drivername}' of DATABASE_URL."
        ) from None
    if is_sqlite:
        _configure_sqlite(engine, busy_seconds)
    return engine


def for_writing(engine: Engine) -> Engine:
    """The same engine, whose transactions take the write lock at once instead of half-way."""
    return engine.execution_options(her2_write=True)


@contextmanager
def calm_errors() -> Iterator[None]:
    """Turn any database error into a StoreError with one sentence; the cause stays attached."""
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreError(_SENTENCES[0][1]) from error
    except SQLAlchemyError as error:
        raise StoreError(_sentence(getattr(error, "orig", None) or error)) from error


@contextmanager
def readable_rows() -> Iterator[None]:
    """Turn a value that no review can hold (a tampered row) into a StoreError."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise StoreError(
            "The review log holds an entry that cannot be read; "
            "'python -m her2core.reviews verify' names it."
        ) from error


def _sentence(cause: BaseException) -> str:
    said = str(cause).lower()
    for key, sentence in _SENTENCES:
        if key in said:
            return sentence
    return (
        f"The review database refused ({type(cause).__name__}); nothing was changed. "
        "The server's log has the details."
    )


def _make_file(url: URL) -> None:
    if not url.database or url.database == ":memory:":
        raise StoreError("The review database must be a file, so that reviews outlive the server.")
    if url.database.startswith("file:"):
        return
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made here because SQLite would leave a new file readable for everybody; its WAL follows.
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    except OSError as error:
        raise StoreError(
            f"The review database '{path}' could not be made or opened ({error.strerror}); check "
            "the folder and its rights."
        ) from error


def _configure_sqlite(engine: Engine, busy_seconds: float) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours: the driver's comes too late
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {round(busy_seconds * 1000)}")
        _use_wal(cursor, busy_seconds)
        # FULL: in WAL mode NORMAL may lose the last commits on power loss
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA fullfsync = ON")  # macOS; elsewhere without effect
        cursor.execute("PRAGMA foreign_keys = ON")
        # so that INSERT OR REPLACE, too, meets the triggers which refuse deletion
        cursor.execute("PRAGMA recursive_triggers = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("her2_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(cursor: sqlite3.Cursor, busy_seconds: float) -> None:
    """Switch to WAL; SQLite does not wait for others by itself while the mode changes."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
