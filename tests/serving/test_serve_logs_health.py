"""Starting, logging, being looked after: what who runs the server meets."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

import serve
from her2core import health
from her2core.accounts.store import AccountStore
from her2core.reviews.store import ReviewStore
from her2core.serving import logs
from her2core.serving.start import RefusedError, check
from her2core.settings import (
    PROJECT_ROOT,
    SHIPPED_DATA,
    Settings,
    SignInSettings,
    UploadLimits,
    load_settings,
)
from tests.browser.server import Server
from tests.wire_client import Client

ROOT = PROJECT_ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of its own for what reads the settings."""
    monkeypatch.setenv("HER2_HOME", str(tmp_path / "home"))
    for name in ("DATABASE_URL", "HER2_ALLOW_OPEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


# starting ----------------------------------------------------------------------------------------


def test_listening_to_the_network_without_sign_in_does_not_start(home):
    done = subprocess.run(
        [sys.executable, "serve.py", "--address", "0.0.0.0"],
        cwd=ROOT,
        env=os.environ | {"HER2_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "without sign-in" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_starts_once_an_account_exists_or_it_is_forced(home, monkeypatch):
    assert "localhost" in check("127.0.0.1")
    with pytest.raises(RefusedError, match="without sign-in"):
        check("0.0.0.0")
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "::")
    with pytest.raises(RefusedError):
        check(serve.configured_address())
    monkeypatch.delenv("STREAMLIT_SERVER_ADDRESS")
    assert check(serve.configured_address())
    monkeypatch.setenv("HER2_ALLOW_OPEN", "1")
    assert check("0.0.0.0") == ()
    monkeypatch.setenv("HER2_ALLOW_OPEN", "0")
    store = ReviewStore(f"sqlite:///{home / 'her2review.sqlite3'}")
    AccountStore(store).add("Dr. Ada", "reviewer", login="ada@hospital.example")
    store.close()
    assert check("0.0.0.0") == ()
    assert check("127.0.0.1") == ()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.5", "[::1]"])
def test_without_sign_in_only_names_of_this_machine_are_let_in(home, address):
    command = serve.streamlit_options(address, names=check(address))
    names = {after for told, after in pairwise(command) if told == "--server.allowedHosts"}
    assert names == {"localhost", "127.0.0.1", "::1", address.strip("[]")}


def test_without_sign_in_no_other_name_leads_to_the_server(tmp_path):
    server = Server(tmp_path / "home", tmp_path)
    server.home.mkdir()
    server.start(120)
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    }
    try:
        browser = Client(server.url).open_page()

        def status(host: str) -> int:
            asked = handshake | {"Host": f"{host}:{server.port}"}
            return browser.ask("/_stcore/stream", headers=asked).status

        for host in ("localhost", "127.0.0.1", "[::1]"):
            assert status(host) == 101, host
        for host in ("evil.example", "localhost.evil.example", "127.0.0.2"):
            assert status(host) == 403, host
    finally:
        server.kill()


@pytest.mark.parametrize(("limit", "told"), [(None, "200"), (300 * 2**20 + 1, "301"), (9, "1")])
def test_a_file_as_large_as_the_settings_allow_can_be_sent(home, monkeypatch, limit, told):
    monkeypatch.delenv("HER2_MAX_BYTES", raising=False)
    if limit is not None:
        monkeypatch.setenv("HER2_MAX_BYTES", str(limit))
    command = serve.streamlit_options("127.0.0.1")
    assert ("--server.maxUploadSize", told) in pairwise(command)


@pytest.mark.parametrize(("minutes", "seconds"), [(None, "1860"), (1, "120"), (480, "28860")])
def test_a_session_waits_for_its_browser_for_longer_than_it_may_idle(
    home, monkeypatch, minutes, seconds
):
    monkeypatch.delenv("HER2_IDLE_MINUTES", raising=False)
    if minutes is not None:
        monkeypatch.setenv("HER2_IDLE_MINUTES", str(minutes))
    command = serve.streamlit_options("127.0.0.1")
    assert ("--server.disconnectedSessionTTL", seconds) in pairwise(command)


def test_files_beside_the_settings_have_the_limits_of_the_settings():
    largest = UploadLimits.max_bytes // 2**20
    server = tomllib.loads((serve.ROOT / ".streamlit" / "config.toml").read_text())["server"]
    assert server["maxUploadSize"] == largest
    assert server["disconnectedSessionTTL"] == 60 * (SignInSettings.idle_minutes + 1)
    # a file and the form around it
    proxy = (serve.ROOT / "deploy" / "nginx.conf").read_text()
    assert f"client_max_body_size {largest + 1}m;" in proxy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HER2_ALLOW_OPEN", "maybe"),
        ("HER2_OIDC_ROLE", "owner"),
        ("HER2_BACKEND", "cuda"),
        ("DATABASE_URL", "nonsense"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_listens(home, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(RefusedError, match=name) as refused:
        check("127.0.0.1")
    assert refused.value.status == 2


@pytest.fixture
def own_log() -> Iterator[io.StringIO]:
    """A log of its own; afterwards everything is as it was."""
    loggers = [logging.getLogger(name) for name in logs.LOGGERS]
    before = [(log, log.level, log.propagate, list(log.handlers)) for log in loggers]
    yield io.StringIO()
    for log, level, propagate, handlers in before:
        log.setLevel(level)
        log.propagate = propagate
        log.handlers[:] = handlers


# the log -----------------------------------------------------------------------------------------


def test_the_log_is_json_a_line_without_what_an_error_quotes(own_log):
    logs.configure("INFO", own_log)
    log = logging.getLogger("her2core.serving.intake")
    try:
        try:
            raise OSError("cannot read 'Jane Doe 1953.png'")
        except OSError as cause:
            raise ValueError("Jane Doe") from cause
    except ValueError:
        log.exception("A file could not be taken in")
    log.debug("not shown")
    (line,) = own_log.getvalue().splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"]) == ("ERROR", "her2core.serving.intake")
    assert told["message"] == "A file could not be taken in"
    assert told["error"][0].startswith("ValueError at ")
    assert told["error"][1].startswith("OSError at ")
    assert "Jane" not in line


def test_what_streamlit_writes_of_a_failed_page_quotes_nothing_either(own_log):
    from streamlit.logger import get_logger

    theirs = get_logger("streamlit.error_util")
    before = [(handler, handler.formatter) for handler in theirs.handlers]
    assert before
    logs.configure("INFO", own_log)
    try:
        raise ValueError("Jane Doe")
    except ValueError as error:
        record = theirs.makeRecord(
            theirs.name,
            logging.ERROR,
            "",
            0,
            "Uncaught app execution",
            (),
            (ValueError, error, None),
        )
    for handler, formatter in before:
        line = handler.format(record)
        assert json.loads(line)["message"] == "Uncaught app execution"
        assert "Jane" not in line
        handler.setFormatter(formatter)


def test_configuring_twice_says_nothing_twice(own_log):
    logs.configure("INFO", own_log)
    logs.configure("WARNING", own_log)
    logging.getLogger("pages.shell.ui").info("quiet")
    logging.getLogger("pages.shell.ui").warning("two\nlines")
    (line,) = own_log.getvalue().splitlines()
    assert json.loads(line)["message"] == "two\nlines"


# health ------------------------------------------------------------------------------------------


def settings(home: Path, bundles: Path) -> Settings:
    return Settings(home, f"sqlite:///{home / 'reviews.sqlite3'}", (bundles,))


def test_a_working_installation_is_well(tmp_path):
    ReviewStore(settings(tmp_path, tmp_path).database_url).close()
    findings = health.check(settings(tmp_path, SHIPPED_DATA / "bundles"))
    assert [finding.part for finding in findings if not finding.well] == []


def test_each_part_that_is_not_well_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    broken = Settings(tmp_path, f"sqlite:///{tmp_path / 'file' / 'x.sqlite3'}", ())
    monkeypatch.setattr(health, "ENOUGH_BYTES", 2**63)
    said = {f.part: f for f in health.check(broken, "http://127.0.0.1:9")}
    assert [part for part, finding in said.items() if finding.well] == ["images"]
    assert "could not be opened" in said["database"].sentence
    assert "does not answer" in said["server"].sentence


def test_looking_makes_no_database_and_one_that_is_absent_is_not_well(tmp_path, store_url):
    nowhere = tmp_path / "none"
    (finding, *_) = health.check(settings(nowhere, tmp_path))
    assert not finding.well
    assert "no review database yet" in finding.sentence
    assert not nowhere.exists()
    if store_url.startswith("postgresql"):
        with psycopg.connect(store_url) as raw:  # the tests' databases come with tables
            raw.execute("DROP SCHEMA public CASCADE")
            raw.execute("CREATE SCHEMA public")
    # on each kind of database, and a server that has started has made its own
    (finding, *_) = health.check(replace(settings(tmp_path, tmp_path), database_url=store_url))
    assert not finding.well
    ReviewStore(store_url).close()
    (finding, *_) = health.check(replace(settings(tmp_path, tmp_path), database_url=store_url))
    assert (finding.well, finding.sentence) == (True, "Opens; 0 reviews, 0 accounts.")


def test_the_command_ends_with_a_status_for_scripts(home, capsys, monkeypatch):
    assert health.main([]) == 1
    assert "no review database yet" in capsys.readouterr().out
    ReviewStore(load_settings().database_url).close()
    assert health.main([]) == 0
    assert "database  well" in capsys.readouterr().out
    monkeypatch.setenv("HER2_MAX_FILES", "many")
    assert health.main([]) == 1
    assert "HER2_MAX_FILES" in capsys.readouterr().out


# the container ------------------------------------------------------------------------------------


def test_the_database_of_the_container_is_named_without_a_password_in_any_setting(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("p@ss/word:1\n")
    done = subprocess.run(
        [
            sys.executable,
            "deploy/with_database.py",
            "-c",
            "import os; print(os.environ['DATABASE_URL'])",
        ],
        cwd=ROOT,
        env=os.environ | {"DATABASE_HOST": "database", "DATABASE_PASSWORD_FILE": str(secret)},
        capture_output=True,
        text=True,
        check=True,
    )
    url = make_url(done.stdout.strip())
    assert (url.drivername, url.host, url.database) == ("postgresql+psycopg", "database", "her2")
    assert url.password == "p@ss/word:1"


def test_everything_the_container_is_built_from_is_there():
    lines = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8").splitlines()
    sources = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    let_through = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert sources
    for name in sources:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in let_through, name
    # and what the running server reads beside its code
    chosen = Settings(ROOT / "home", "sqlite://", ())
    read = [
        *(chosen.demo_dir, *chosen.report_dirs, chosen.fidelity_file),
        *(SHIPPED_DATA / "bundles", ROOT / ".streamlit" / "config.toml"),
    ]
    assert {str(path.relative_to(ROOT)) for path in read} <= set(sources)
