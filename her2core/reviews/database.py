"""Opening the database of the review store: durable settings, file rights, calm error sentences."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from her2core.common.fair_lock import NoTurnError
from her2core.reviews.driver_errors import BUSY, sentence
from her2core.reviews.errors import StoreError
from her2core.reviews.write_queue import patiently, turnstile

# a database server that is away must not hold a page for minutes
_CONNECT_SECONDS = 5
_SILENT_SECONDS = 15
_IDLE_IN_TRANSACTION_SECONDS = 60


def open_engine(url: str, busy_seconds: float) -> Engine:
    """An engine whose commits are on the disk when they return.

    Args:
        url: SQLAlchemy URL of SQLite or PostgreSQL (through psycopg 3). An SQLite file and its
            folder are created, for the owner alone.
        busy_seconds: how long to wait for another writer.

    Raises:
        StoreError: the URL is not one, or names no file, or the file cannot be made.
    """
    parsed = parse_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite:
        _make_file(parsed)
    try:
        # hide_parameters: comments and names must not leak into error texts and logs
        engine = create_engine(
            parsed,
            hide_parameters=True,
            pool_pre_ping=not is_sqlite,  # connections of before a server's restart are replaced
            pool_timeout=busy_seconds,
            connect_args={"timeout": busy_seconds} if is_sqlite else _server_arguments(parsed),
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        raise StoreError(
            f"No driver is installed for the database kind '{parsed.drivername}' of DATABASE_URL."
        ) from None
    if is_sqlite:
        _configure_sqlite(engine, Path(f"{parsed.database}-turn"), busy_seconds)
    elif parsed.get_backend_name() == "postgresql":
        _configure_postgresql(engine, busy_seconds)
    return engine


def parse_url(url: str) -> URL:
    """The address, with the driver this program comes with.

    Raises:
        StoreError: it is none.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(
            "DATABASE_URL is not a database address; it looks like sqlite:////folder/file.sqlite3 "
            "or postgresql://user:password@host/database."
        ) from None
    # "postgres" is how many hosting services still spell it
    if parsed.drivername in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite address; None for any other address.

    Raises:
        StoreError: it is no address.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def has_database(url: str) -> bool:
    """Whether a review store was opened at this address before; nothing is made or changed.

    Raises:
        StoreError: it is no address, or the database does not answer.
    """
    file = sqlite_file(url)
    if file is not None and not str(file).startswith("file:"):
        try:
            return file.stat().st_size > 0
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(
                f"The review database '{file}' could not be opened ({error.strerror})."
            ) from None
    with calm_errors():
        engine = open_engine(url, _CONNECT_SECONDS)
        try:
            return inspect(engine).has_table("log_head")
        finally:
            engine.dispose()


def for_writing(engine: Engine) -> Engine:
    """The same engine, whose transactions take the write lock at once instead of half-way."""
    return engine.execution_options(her2_write=True)


def for_reading(engine: Engine) -> Engine:
    """The same engine, whose transactions see one state of the database from start to end.

    SQLite's do anyway. On PostgreSQL a check of the chain would otherwise see half of what a
    writer adds meanwhile.
    """
    if engine.dialect.name != "postgresql":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def calm_errors() -> Iterator[None]:
    """Turn any database error into a StoreError with one sentence; the cause stays attached."""
    try:
        yield
    except (PoolTimeoutError, NoTurnError) as error:
        raise StoreError(BUSY) from error
    except SQLAlchemyError as error:
        raise StoreError(sentence(getattr(error, "orig", None) or error)) from error


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


def _configure_sqlite(engine: Engine, turn_file: Path, busy_seconds: float) -> None:
    waiting = f"PRAGMA busy_timeout = {round(busy_seconds * 1000)}"

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours: the driver's comes too late
        cursor = connection.cursor()
        cursor.execute(waiting)
        # SQLite does not wait for others by itself while the mode changes
        patiently(lambda: cursor.execute("PRAGMA journal_mode = WAL"), _is_locked, busy_seconds)
        # FULL: in WAL mode NORMAL may lose the last commits on power loss
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA fullfsync = ON")  # macOS; elsewhere without effect
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("her2_write", False):
            connection.exec_driver_sql("BEGIN")
            return
        # the waiting is ours here; see write_queue.py
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        try:
            with turnstile(turn_file, busy_seconds):
                patiently(
                    lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"), _is_locked, busy_seconds
                )
        finally:
            connection.exec_driver_sql(waiting)


def _is_locked(error: Exception) -> bool:
    return "locked" in str(getattr(error, "orig", None) or error)


def _server_arguments(url: URL) -> dict[str, Any]:
    if url.drivername != "postgresql+psycopg":
        return {}
    return {
        "connect_timeout": _CONNECT_SECONDS,
        # a server that fell silent (cable, power) is given up instead of waited for
        "tcp_user_timeout": _SILENT_SECONDS * 1000,
        "keepalives_idle": _SILENT_SECONDS,
        "application_name": "her2-review",
    }


def _configure_postgresql(engine: Engine, busy_seconds: float) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        before = connection.autocommit
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {round(busy_seconds * 1000)}")
            idle = _IDLE_IN_TRANSACTION_SECONDS * 1000
            cursor.execute(f"SET idle_in_transaction_session_timeout = {idle}")
            # a server set to answer before the disk does would lose what was called saved
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
        connection.autocommit = before
