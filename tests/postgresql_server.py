"""A real PostgreSQL of the tests' own: Debian's programs, a temporary folder, loopback only.

PostgreSQL refuses to run as root, so under root its files and processes belong to `postgres` (or
`nobody`). It listens on a free port, opens no Unix socket and asks for a password.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

USER = "her2"


def programs() -> Path | None:
    """Folder of the newest installed server's programs; None where Debian's package is missing."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parent.parent.name),
    )
    return found[-1].parent if found else None


@dataclass
class PostgresqlServer:
    """One server. `start` after `stop` or `kill` finds the same databases on the same port.

    Attributes:
        fsync: whether commits wait for the disk; only tests of durability need it.
    """

    fsync: bool = False
    port: int = 0
    folder: Path = field(init=False)
    _password: str = field(init=False, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _number: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Make the folder and the cluster in it; nothing runs yet.

        Raises:
            RuntimeError: PostgreSQL is not installed, or refuses; the message carries its words.
        """
        self._password = secrets.token_hex(16)
        # under root it has to be a place which another user can reach
        where = "/tmp" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="her2-postgresql-", dir=where))
        password_file = self.folder / "password"
        password_file.write_text(self._password)
        password_file.chmod(0o600)
        if os.geteuid() == 0:
            for path in (self.folder, password_file):
                os.chown(path, *_other_user())
        self._run(
            *("initdb", "--pgdata", str(self.folder / "data"), "--username", USER),
            *("--pwfile", str(password_file), "--auth", "scram-sha-256"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        )

    def start(self, seconds: float = 60) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it did not come up in time.
        """
        self.port = self.port or _free_port()
        log = (self.folder / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    *(str(_program("postgres")), "-D", str(self.folder / "data")),
                    *("-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}"),
                    *("-c", "unix_socket_directories=", "-c", "max_connections=60"),
                    *("-c", f"fsync={'on' if self.fsync else 'off'}", "-c", "shared_buffers=16MB"),
                    *("-c", "dynamic_shared_memory_type=mmap"),  # /dev/shm may be tiny
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                **_as_other_user(),
            )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError), self._connect():
                return
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not come up:\n{self._log()}")

    def stop(self) -> None:
        """Shut it down as an operator would, ending open connections."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it without a goodbye."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        """Stop it and delete its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self) -> str:
        """URL of a fresh, wholly empty database."""
        self._number += 1
        name = f"reviews_{self._number}"
        with self._connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def connection(self, url: str) -> psycopg.Connection[Any]:
        """A connection of the tests' own, which commits each statement."""
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def drop_database(self, url: str) -> None:
        """Delete a database, ending its connections."""
        name = url.rpartition("/")[2]
        with self._connect() as connection:
            statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(statement.format(sql.Identifier(name)))

    def url(self, name: str) -> str:
        """What goes into DATABASE_URL."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{name}"

    def _connect(self) -> psycopg.Connection[Any]:
        return self.connection(self.url("postgres"))

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(_program(program)), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            **_as_other_user(),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")[-4000:]


class Rewound:
    """A database that is put back to how it was at first: far cheaper than a new one each time.

    Rows only; whoever changes tables in a test puts them back.
    """

    def __init__(self, server: PostgresqlServer, url: str) -> None:
        """Note the rows of all tables of `url`."""
        self._server, self.url = server, url
        with server.connection(url) as raw:
            tables = raw.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            self._numbers = raw.execute(
                "SELECT quote_ident(sequencename), last_value FROM pg_sequences"
            ).fetchall()
            self._rows = {name: raw.execute(_all(name)).fetchall() for (name,) in tables.fetchall()}

    def rewind(self) -> None:
        """End all other connections and bring the first rows back."""
        with self._server.connection(self.url) as raw:
            raw.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            raw.execute("SET session_replication_role = replica")  # no trigger, no foreign key
            for table, rows in self._rows.items():
                raw.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                for row in rows:
                    raw.execute(
                        sql.SQL("INSERT INTO {} VALUES ({})").format(
                            sql.Identifier(table), sql.SQL(", ").join(map(sql.Literal, row))
                        )
                    )
            for sequence, last in self._numbers:
                raw.execute(
                    "SELECT setval(%s::regclass, %s, %s)", (sequence, last or 1, last is not None)
                )


def _all(table: str) -> sql.Composed:
    return sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))


def _program(name: str) -> Path:
    folder = programs()
    if folder is None:
        raise RuntimeError("PostgreSQL is not installed (Debian: apt install postgresql).")
    return folder / name


def _other_user() -> tuple[int, int]:
    """User and group which the server runs as when the tests run as root."""
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise RuntimeError("There is no user 'postgres' or 'nobody' to run PostgreSQL as.")


def _as_other_user() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user, group = _other_user()
    return {"user": user, "group": group, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
