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
        self.folder = Path(tempfile.mkdtemp(prefix="her2-postgresql-"))
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

    def new_database(self, template: str | None = None) -> str:
        """URL of a fresh database; a copy of `template` (a URL's database name) where given."""
        self._number += 1
        name = f"reviews_{self._number}"
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with self._connect() as connection:
            connection.execute(statement)
        return self.url(name)

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
        return psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=5)

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
