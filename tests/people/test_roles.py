"""What it takes to have another role: one entry in the table of roles, and a migration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from her2core.accounts.records import MAY, ROLES, Identity, Permission
from her2core.accounts.store import AccountStore
from her2core.people.assignments import Assignments
from her2core.reviews.database import for_writing, open_engine
from her2core.reviews.migrations.checks import replace_check
from tests.review_samples import SHA, open_store

BEFORE = f"role IN {ROLES}"
AFTER = f"role IN {('trainee', *ROLES)}"
GOOD = "brown rings round blue nuclei"


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    """A database with accounts that assignments refer to."""
    with closing(open_store(store_url)) as store:
        accounts = AccountStore(store)
        for name in ("Ada", "Bo"):
            accounts.add(name, "reviewer", password=GOOD)
        Assignments(store).assign_double([SHA], ("Ada", "Bo"), by="Ada")
    opened = open_engine(store_url, 5)
    yield opened
    opened.dispose()


def migrated(engine: Engine, name: str, before: str, after: str) -> None:
    with for_writing(engine).begin() as connection:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            replace_check("account", name, before, after)


def give(engine: Engine, role: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE account SET role = :role"), {"role": role})


def test_every_role_may_something_and_is_known_to_the_table():
    assert set(MAY) == set(ROLES)
    assert all(Identity("Ada", role, "account").permissions for role in ROLES)
    assert all(any(permission in MAY[role] for role in ROLES) for permission in Permission)


def test_a_migration_lets_a_further_role_in_and_keeps_what_is_there(engine, store_url):
    with closing(open_store(store_url)) as other:  # a server that has the database open
        with pytest.raises(IntegrityError):
            give(engine, "trainee")
        migrated(engine, "ck_account_role", BEFORE, AFTER)
        give(engine, "trainee")
        with pytest.raises(IntegrityError):
            give(engine, "owner")
        assert other.verify_chain() == []
        plan = Assignments(other).plan()
        assert set(plan.double_reads[SHA].readers) == {"Ada", "Bo"}
    with engine.connect() as connection:
        assert set(connection.execute(text("SELECT role FROM account")).scalars()) == {"trainee"}
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_another_condition_than_the_one_there_is_refused(engine):
    """PostgreSQL knows a CHECK by its name; only SQLite is told the condition that was."""
    with pytest.raises(ValueError, match="account has no CHECK"):
        migrated(engine, "ck_account_role", AFTER, BEFORE)
    with pytest.raises(IntegrityError):
        give(engine, "trainee")
