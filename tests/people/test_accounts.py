"""Who may sign in, how often one may try, and that everything of it stands in the audit."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from her2core.accounts import passwords
from her2core.accounts.__main__ import main
from her2core.accounts.door import (
    OpenDoorError,
    is_loopback,
    oidc_claims,
    require_own_machine,
    way_in,
)
from her2core.accounts.limits import (
    FAILURES_PER_ADDRESS,
    FAILURES_PER_NAME,
    FAILURES_PER_NAME_AND_ADDRESS,
    WINDOW,
)
from her2core.accounts.records import AccountError, SignInError
from her2core.accounts.store import AccountStore
from her2core.reviews.database import parse_url
from her2core.reviews.store import ReviewStore
from tests.review_samples import url

GOOD = "brown rings round blue nuclei"
WRONG = "blue rings round brown nuclei"


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(store_url: str, clock: Clock) -> Iterator[AccountStore]:
    """Nobody yet, on each kind of database."""
    opened = ReviewStore(store_url)
    yield AccountStore(opened, clock=clock)
    opened.close()


@pytest.fixture
def on_sqlite(tmp_path: Path, clock: Clock) -> Iterator[AccountStore]:
    """Nobody yet, where a test looks into the database itself."""
    opened = ReviewStore(url(tmp_path))
    yield AccountStore(opened, clock=clock)
    opened.close()


def actions(accounts: AccountStore) -> list[tuple[str, str]]:
    return [(entry.actor, entry.action) for entry in accounts.audit()][::-1]


def fail(accounts: AccountStore, name: str, times: int, address: str = "") -> None:
    for _ in range(times):
        with pytest.raises(SignInError, match="wrong"):
            accounts.sign_in(name, WRONG, address)


def locked(accounts: AccountStore, name: str, address: str = "", password: str = GOOD) -> bool:
    try:
        accounts.sign_in(name, password, address)
    except SignInError as error:
        return "Too many" in str(error)
    return False


# accounts ----------------------------------------------------------------------------------------


def test_an_account_signs_in_under_the_name_the_log_will_show(accounts):
    accounts.add("Dr. Ada Example", "reviewer", password=GOOD)
    person = accounts.sign_in("  dr. ADA example ", GOOD)
    assert (person.name, person.role, person.way) == ("Dr. Ada Example", "reviewer", "account")
    assert actions(accounts) == [
        ("command line", "account added"),
        ("Dr. Ada Example", "signed in"),
    ]


def test_the_password_is_nowhere_in_the_database(on_sqlite, tmp_path):
    on_sqlite.add("Dr. Ada", "reviewer", password=GOOD)
    with closing(sqlite3.connect(tmp_path / "home" / "reviews.sqlite3")) as raw:
        dump = "\n".join(raw.iterdump())
    assert GOOD not in dump
    assert "$argon2id$" in dump


@pytest.mark.parametrize(
    ("name", "password", "says"),
    [
        ("", GOOD, "Give a name"),
        ("x" * 81, GOOD, "longer than 80"),
        ("Dr.\u202eAda", GOOD, "control character"),
        ("Dr. Ada", "short", "12 to 256 characters"),
        ("Dr. Ada", "x" * 257, "12 to 256 characters"),
        ("Dr. Ada", "aaaaaaaaaaaaaa", "easy to guess"),
        ("Dr. Ada", None, "needs a password, or a login"),
        ("DR. BEN", GOOD, "already"),
        ("Dr. Ｂen", GOOD, "already"),
    ],
)
def test_what_makes_no_account(accounts, name, password, says):
    accounts.add("Dr. Ben", "reviewer", password=GOOD)
    with pytest.raises(AccountError, match=says):
        accounts.add(name, "reviewer", password=password)
    assert [account.name for account in accounts.accounts()] == ["Dr. Ben"]


def test_a_role_that_is_none_is_refused(accounts):
    with pytest.raises(AccountError, match="no role"):
        accounts.add("Dr. Ada", "owner", password=GOOD)


def test_role_and_disabling_count_for_who_is_signed_in_already(accounts):
    accounts.add("Dr. Ada", "reviewer", password=GOOD)
    person = accounts.sign_in("Dr. Ada", GOOD)
    accounts.set_role("Dr. Ada", "adjudicator")
    now = accounts.current(person)
    assert now is not None
    assert now.role == "adjudicator"
    accounts.set_disabled("Dr. Ada", True)
    assert accounts.current(person) is None
    fail(accounts, "Dr. Ada", 1)
    with pytest.raises(SignInError):
        accounts.sign_in("Dr. Ada", GOOD)
    assert ("command line", "role changed") in actions(accounts)


# sign-in -----------------------------------------------------------------------------------------


def test_after_five_failures_even_the_right_password_waits(accounts, clock, store_url):
    accounts.add("Dr. Ada", "reviewer", password=GOOD)
    fail(accounts, "Dr. Ada", FAILURES_PER_NAME_AND_ADDRESS)
    restarted = ReviewStore(store_url)
    again = AccountStore(restarted, clock=clock)
    with pytest.raises(SignInError, match="Too many failed sign-ins; try again in 15 minutes"):
        again.sign_in("Dr. Ada", GOOD)
    clock.now += WINDOW - timedelta(seconds=30)
    with pytest.raises(SignInError, match="in a minute"):
        again.sign_in("dr. ada", GOOD)
    clock.now += timedelta(seconds=31)
    assert again.sign_in("Dr. Ada", GOOD).name == "Dr. Ada"
    restarted.close()


def test_the_right_password_gives_the_attempts_back(accounts):
    accounts.add("Dr. Ada", "reviewer", password=GOOD)
    for _ in range(2):
        fail(accounts, "Dr. Ada", FAILURES_PER_NAME_AND_ADDRESS - 1)
        accounts.sign_in("Dr. Ada", GOOD)


def test_one_name_locked_leaves_the_others_alone(accounts):
    accounts.add("Dr. Ada", "reviewer", password=GOOD)
    fail(accounts, "Dr. Ben", FAILURES_PER_NAME_AND_ADDRESS)
    with pytest.raises(SignInError, match="Too many"):
        accounts.sign_in("Dr. Ben", WRONG)
    assert accounts.sign_in("Dr. Ada", GOOD)


STRANGER, DESK, HOME = "203.0.113.9", "10.0.0.7", "198.51.100.4"


@pytest.fixture
def quick(monkeypatch):
    """Every password but GOOD is wrong, without the time that Argon2 takes."""
    monkeypatch.setattr(
        passwords, "matches", lambda stored, password: stored is not None and password == GOOD
    )


def test_one_password_tried_on_many_names_closes_the_stranger_s_address_alone(on_sqlite, quick):
    on_sqlite.add("Dr. Ada", "reviewer", password=GOOD)
    on_sqlite.add("Dr. Ben", "reviewer", password=GOOD)
    assert on_sqlite.sign_in("Dr. Ben", GOOD, STRANGER)  # he has been there before
    for number in range(FAILURES_PER_ADDRESS):
        fail(on_sqlite, f"name {number}", 1, STRANGER)
    assert locked(on_sqlite, "one more", STRANGER)
    assert locked(on_sqlite, "Dr. Ada", STRANGER)
    assert on_sqlite.sign_in("Dr. Ben", GOOD, STRANGER)
    assert on_sqlite.sign_in("Dr. Ada", GOOD, DESK)
    assert on_sqlite.sign_in("Dr. Ada", GOOD)


def test_two_hundred_wrong_passwords_lock_nobody_else_out(on_sqlite, quick):
    """Where no address is known, too: a stranger is held by the names tried."""
    on_sqlite.add("Dr. Ada", "reviewer", password=GOOD)
    for number in range(200):
        fail(on_sqlite, f"name {number}", 1)
    assert on_sqlite.sign_in("Dr. Ada", GOOD)


def test_one_name_tried_from_many_addresses_waits_but_not_where_its_owner_was(on_sqlite, quick):
    on_sqlite.add("Dr. Ada", "reviewer", password=GOOD)
    assert on_sqlite.sign_in("Dr. Ada", GOOD, DESK)
    for number in range(FAILURES_PER_NAME):
        fail(on_sqlite, "Dr. Ada", 1, f"203.0.113.{number}")
    assert locked(on_sqlite, "Dr. Ada", HOME)
    assert on_sqlite.sign_in("Dr. Ada", GOOD, DESK)


def test_addresses_of_one_network_are_one(on_sqlite, quick):
    on_sqlite.add("Dr. Ada", "reviewer", password=GOOD)
    for number in range(FAILURES_PER_NAME_AND_ADDRESS):
        fail(on_sqlite, "Dr. Ada", 1, f"2001:db8::{number}")
    assert locked(on_sqlite, "Dr. Ada", "2001:db8::ffff")
    assert not locked(on_sqlite, "Dr. Ada", "2001:db8:0:1::1")
    fail(on_sqlite, "Dr. Ben", FAILURES_PER_NAME_AND_ADDRESS, DESK)
    assert locked(on_sqlite, "Dr. Ben", f"::ffff:{DESK}")


def close_all(accounts: AccountStore) -> None:
    for number in range(FAILURES_PER_ADDRESS - FAILURES_PER_NAME_AND_ADDRESS):
        fail(accounts, f"name {number}", 1, DESK)
    fail(accounts, "Dr. Ada", FAILURES_PER_NAME_AND_ADDRESS, DESK)
    assert locked(accounts, "Dr. Ada", DESK)


def test_a_new_password_lifts_the_lock(accounts, quick):
    accounts.add("Dr. Ada", "reviewer", password=WRONG)
    close_all(accounts)
    accounts.set_password("Dr. Ada", GOOD)
    for number in range(FAILURES_PER_NAME_AND_ADDRESS):  # the address closes again meanwhile
        fail(accounts, f"one more {number}", 1, DESK)
    assert locked(accounts, "Dr. Ben", DESK)
    assert accounts.sign_in("Dr. Ada", GOOD, DESK)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["unlock", "dr. ada"], "dr. ada may try again"),
        (["unlock", "--all"], "Everybody may try again"),
        (["unlock", "--address", DESK], f"{DESK} may try again"),
    ],
)
def test_an_administrator_lifts_it_by_command(
    on_sqlite, tmp_path, quick, monkeypatch, command, says, capsys
):
    on_sqlite.add("Dr. Ada", "reviewer", password=GOOD)
    close_all(on_sqlite)
    made = AccountStore.__init__  # the command's clock is that of the test
    clock = on_sqlite._clock
    monkeypatch.setattr(
        AccountStore, "__init__", lambda self, store: made(self, store, clock=clock)
    )
    assert main(["--database", url(tmp_path), *command]) == 0
    assert says in capsys.readouterr().out
    assert on_sqlite.sign_in("Dr. Ada", GOOD, DESK)
    assert ("command line", "sign-in unlocked") in actions(on_sqlite)


def test_unlocking_whom_nobody_knows_is_refused_with_a_sentence(on_sqlite, tmp_path, capsys):
    assert main(["--database", url(tmp_path), "unlock", "Dr. Ada"]) == 1
    assert main(["--database", url(tmp_path), "unlock", "--address", "desk"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "There is no account “Dr. Ada”.",
        "“desk” is no address of another machine.",
    ]


@pytest.mark.parametrize("back", [timedelta(minutes=5), timedelta(days=400)])
def test_a_clock_that_goes_back_keeps_the_lock_and_keeps_it_no_longer(
    on_sqlite, quick, clock, back
):
    on_sqlite.add("Dr. Ada", "reviewer", password=GOOD)
    fail(on_sqlite, "Dr. Ada", FAILURES_PER_NAME_AND_ADDRESS, DESK)
    clock.now -= back
    assert locked(on_sqlite, "Dr. Ada", DESK)
    clock.now += WINDOW - timedelta(seconds=1)
    assert locked(on_sqlite, "Dr. Ada", DESK)
    clock.now += timedelta(seconds=2)
    assert on_sqlite.sign_in("Dr. Ada", GOOD, DESK)


@pytest.mark.parametrize(
    "password",
    [
        "password1234", "P@ssw0rd1234!", "Her2review2024", "Her2-Review-2025!", "qwertyuiop12",
        "qwertzuiopü+", "1qaz2wsx3edc", "abcabcabcabc", "aB3$aB3$aB3$", "123456789012",
        "Ada Example 2024", "DrAdaExample1", "Exampleada77", "Ex@mple2024ada", "hospital12345",
        "pathology2024", "Winter2024!!", "Sommer2024!!", "passwordpassword", "krankenhaus12",
    ],
)  # fmt: skip
def test_a_password_that_is_easy_to_guess_is_refused(password):
    with pytest.raises(AccountError, match="too easy to guess"):
        passwords.hashed(password, "Dr. Ada Example")


@pytest.mark.parametrize(
    "password",
    [GOOD, WRONG, "correct horse battery staple", "Xk3vQ9zLmw7T", "Grüne Wolken über Jena"],
)
def test_a_few_words_in_a_row_do_well(password):
    assert passwords.matches(passwords.hashed(password, "Dr. Ada Example"), password)


def test_an_unknown_name_is_not_written_down_for_it_may_be_a_password(on_sqlite, tmp_path):
    fail(on_sqlite, GOOD, 1)
    with closing(sqlite3.connect(tmp_path / "home" / "reviews.sqlite3")) as raw:
        assert GOOD not in "\n".join(raw.iterdump())
    assert actions(on_sqlite) == [("unknown name", "sign-in failed")]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=300), st.text(max_size=300))
@example("\ud800", "\ud800")
@example("\0", "\0")
def test_any_text_is_refused_calmly(on_sqlite, clock, name, password):
    clock.now += WINDOW
    with pytest.raises(SignInError, match="wrong"):
        on_sqlite.sign_in(name, password)


def test_oidc_finds_the_account_by_what_the_provider_says(accounts):
    accounts.add("Dr. Ada", "adjudicator", login="Ada@Hospital.example")
    found = accounts.sign_in_oidc(["ada@hospital.example", "sub-1"], default_role=None)
    assert (found.name, found.role, found.way) == ("Dr. Ada", "adjudicator", "oidc")
    with pytest.raises(SignInError, match="no account here"):
        accounts.sign_in_oidc(["ben@hospital.example"], default_role=None)
    with pytest.raises(SignInError, match="did not say"):
        accounts.sign_in_oidc(["", " "], default_role="reviewer")
    with pytest.raises(SignInError, match="wrong"):
        accounts.sign_in("Dr. Ada", "")


def test_oidc_may_let_everybody_of_the_provider_in(accounts):
    first = accounts.sign_in_oidc(["ben@hospital.example"], default_role="reviewer")
    assert first == accounts.sign_in_oidc(["BEN@hospital.example"], default_role="reviewer")
    assert [account.name for account in accounts.accounts()] == ["ben@hospital.example"]
    accounts.set_disabled("ben@hospital.example", True)
    with pytest.raises(SignInError):
        accounts.sign_in_oidc(["ben@hospital.example"], default_role="reviewer")


def test_nobody_becomes_somebody_else_by_an_address(accounts):
    accounts.add("ada@hospital.example", "administrator", password=GOOD)
    with pytest.raises(SignInError, match="Another account has your name"):
        accounts.sign_in_oidc(["ada@hospital.example"], default_role="reviewer")


# the audit ---------------------------------------------------------------------------------------


def test_what_was_noted_last_of_a_model_is_found_behind_a_thousand_other_entries(accounts, clock):
    accounts.note("Root", "model adapted", "cnn-1 from cnn-0, 40 patches")
    clock.now += timedelta(days=1)
    accounts.note("Root", "model adapted", "cnn-1 from cnn-0, 50 patches")
    then = clock.now
    clock.now += timedelta(days=1)
    accounts.note("Root", "model adapted", "cnn-10 from cnn-1, 60 patches")
    for _ in range(600):
        accounts.note("Root", "exported", "1 entries as CSV")
    (entry,) = accounts.audit(1, "model adapted", "cnn-1 ")
    assert (entry.happened_at, entry.detail) == (then, "cnn-1 from cnn-0, 50 patches")
    assert accounts.audit(1, "model chosen", "cnn-1 ") == []


@pytest.mark.parametrize("statement", ["DELETE FROM audit", "UPDATE audit SET actor = 'x'"])
def test_the_audit_is_append_only(accounts, store_url, statement):
    accounts.note("Dr. Ada", "exported", "2 entries as CSV")
    engine = create_engine(parse_url(store_url))
    with (
        engine.connect() as raw,
        pytest.raises(DBAPIError, match="never changed or deleted"),
    ):
        raw.execute(text(statement))
    engine.dispose()


def test_postgresql_refuses_to_empty_the_audit(postgresql, postgresql_url):
    with (
        postgresql.connection(postgresql_url) as raw,
        pytest.raises(psycopg.Error, match="never changed or deleted"),
    ):
        raw.execute("TRUNCATE audit")


# the door ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost"])
def test_this_machine_alone_needs_no_sign_in(address):
    assert is_loopback(address)
    assert way_in(oidc=False, accounts=False, address=address, allow_open=False) == "open"


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "::", "10.0.0.7", "her2.example", "127"])
def test_others_may_come_only_when_someone_signs_in_or_says_so(address):
    with pytest.raises(OpenDoorError, match="without sign-in"):
        way_in(oidc=False, accounts=False, address=address, allow_open=False)
    assert way_in(oidc=False, accounts=False, address=address, allow_open=True) == "open"
    assert way_in(oidc=False, accounts=True, address=address, allow_open=True) == "account"
    assert way_in(oidc=True, accounts=True, address=address, allow_open=True) == "oidc"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:8501"},
        {"Host": "127.0.0.1:8501", "Origin": "http://127.0.0.1:8501"},
        {"Host": "127.8.0.1", "Origin": "http://127.8.0.1"},
        {"Host": "[::1]:8501", "Origin": "http://[::1]:8501"},
        {"host": "LOCALHOST.:8501", "origin": "http://localhost.:8501", "Via": ""},
    ],
)
def test_a_browser_of_this_machine_may_come_in(headers):
    require_own_machine(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:8501", "Origin": "http://evil.example:8501"},
        {"Host": "localhost:8501", "Origin": "http://evil.example"},
        {"Host": "evil.example:8501"},
        {"Host": "localhost.evil.example:8501"},
        {"Host": "10.0.0.7:8501"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Host": "localhost:8501", "Origin": "null"},
    ],
)
def test_a_name_that_is_not_this_machine_s_is_refused(headers):
    with pytest.raises(OpenDoorError, match="not asked for as localhost"):
        require_own_machine(headers)


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via"],
)
def test_what_came_through_a_proxy_is_refused(name):
    with pytest.raises(OpenDoorError, match="through a proxy"):
        require_own_machine({"Host": "localhost:8501", name: "https"})


@pytest.mark.parametrize(
    ("verified", "trusted"),
    [
        (True, True),
        ("true", True),
        ("True", True),
        (False, False),
        ("false", False),
        ("no", False),
        ("", False),
        (None, False),
        (1, False),
    ],
)
def test_an_address_counts_only_where_the_provider_has_verified_it(verified, trusted):
    said = {"email": "ada@hospital.example", "sub": "17", "email_verified": verified}
    assert oidc_claims(said) == ["ada@hospital.example" if trusted else "", "17"]


def test_a_provider_may_leave_out_whether_it_verified_and_what_it_does_not_know():
    assert oidc_claims({"email": "ada@hospital.example"}) == ["ada@hospital.example", ""]
    assert oidc_claims({"email": None, "sub": "17"}) == ["", "17"]


# the command -------------------------------------------------------------------------------------


def run(tmp_path: Path, capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(["--database", url(tmp_path), *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_accounts_are_made_and_changed_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GOOD}\n"))
    status, said, _ = run(
        tmp_path, capsys, "add", "Dr. Ada", "--role", "reviewer", "--password-stdin"
    )
    assert (status, said) == (0, "Dr. Ada may sign in as reviewer.\n")
    assert run(tmp_path, capsys, "set-role", "dr. ada", "adjudicator")[0] == 0
    assert run(tmp_path, capsys, "disable", "Dr. Ada")[0] == 0
    assert run(tmp_path, capsys, "list")[1] == "Dr. Ada\tadjudicator\tdisabled\tpassword\n"
    assert run(tmp_path, capsys, "enable", "Dr. Ada")[0] == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{WRONG}\n"))
    assert run(tmp_path, capsys, "set-password", "Dr. Ada", "--password-stdin")[0] == 0
    store = ReviewStore(url(tmp_path))
    assert AccountStore(store).sign_in("Dr. Ada", WRONG).role == "adjudicator"
    store.close()
    said = run(tmp_path, capsys, "audit")[1]
    for action in ("account added", "role changed", "account disabled", "password changed"):
        assert action in said
    assert WRONG not in said


def test_a_refused_command_says_one_sentence_and_changes_nothing(tmp_path, capsys, monkeypatch):
    status, out, err = run(tmp_path, capsys, "set-role", "Nobody", "reviewer")
    assert (status, out, err) == (1, "", "There is no account “Nobody”.\n")
    answers = iter([GOOD, WRONG])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    status, _, err = run(tmp_path, capsys, "add", "Dr. Ada", "--role", "reviewer")
    assert (status, err) == (1, "The two passwords differ; nothing was changed.\n")
    assert run(tmp_path, capsys, "list")[1] == ""
