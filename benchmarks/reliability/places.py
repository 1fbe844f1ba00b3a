"""A database to measure on: SQLite in a temporary folder, or a PostgreSQL of our own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgresql_server import PostgresqlServer

DATABASES = ("sqlite", "postgresql")


@contextmanager
def place(database: str) -> Iterator[tuple[Path, str]]:
    """A temporary HER2_HOME and the URL of an empty database; both are gone afterwards.

    Commits wait for the disk on both, as in use.
    """
    with tempfile.TemporaryDirectory(prefix="her2-reliability-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        if database == "sqlite":
            yield home, f"sqlite:///{home / 'her2review.sqlite3'}"
            return
        server = PostgresqlServer(fsync=True)
        try:
            server.start()
            yield home, server.new_database()
        finally:
            server.remove()
