"""What is recorded is neither changed, deleted nor replaced, whoever opens the database.

The attacks are made on a connection of their own, as Python's sqlite3 or psql opens one. What needs
the rights of the database's owner (dropping a trigger, `PRAGMA writable_schema`) cannot be refused
by it; the register and the chain show that, see the second half.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from alembic import command

from her2core.accounts.store import AccountStore
from her2core.people.assignments import Assignments
from her2core.reviews.database import for_writing, open_engine
from her2core.reviews.migrations import alembic_config
from her2core.reviews.store import ReviewStore
from tests.review_samples import (
    SHA,
    STAIN,
    draft,
    open_store,
    patch,
    sqlite_connection,
    tamper,
    url,
)

OTHER = "b" * 64
ADA, BO = "Dr. Ada Example", "Dr. Bo"
GOOD = "brown rings round blue nuclei"
RECORDED = (
    "review",
    "review_verdict",
    "review_stain",
    "verdict",
    "stain_reading",
    "patch",
    "reviewer",
    "double_read",
    "assignment",
    "audit",
    "shown_verdicts",
    "register",
    "log_head",
)
REFUSED = "never|Where the log ends"


def filled(where: str) -> ReviewStore:
    """A store in which every table that only grows holds a row at least."""
    opened = open_store(where)
    opened.add_patch(patch(OTHER, name="other.png"))
    accounts = AccountStore(opened)
    for name, role in ((ADA, "reviewer"), (BO, "reviewer"), ("Root", "administrator")):
        accounts.add(name, role, password=GOOD)
    Assignments(opened).assign_double([OTHER], (ADA, BO), blind=False, by="Root")
    opened.save_review(draft(stain=STAIN))
    opened.save_review(draft(supersedes=1, comment="again"))
    opened.showings.record(ADA, [SHA])
    return opened


@pytest.fixture
def store(store_url: str) -> Iterator[ReviewStore]:
    """On each kind of database."""
    opened = filled(store_url)
    yield opened
    opened.close()


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection of somebody else to the SQLite file."""
    filled(url(tmp_path)).close()
    with closing(sqlite_connection(tmp_path)) as opened:
        assert opened.execute("PRAGMA recursive_triggers").fetchone() == (0,)
        yield opened


def contents(raw: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {table: raw.execute(f"SELECT rowid, * FROM {table}").fetchall() for table in RECORDED}


def unique_keys(raw: sqlite3.Connection, table: str) -> list[tuple[str, ...]]:
    """What is unique in a table, as the database itself says it."""
    columns = raw.execute(f"PRAGMA table_info({table})").fetchall()
    keys = {tuple(row[1] for row in sorted(columns, key=lambda c: c[5]) if row[5]), ("rowid",)}
    for row in raw.execute(f"PRAGMA index_list({table})"):
        if row[2]:
            named = raw.execute(f"PRAGMA index_info({row[1]})")
            keys.add(tuple(one[2] for one in named))
    return sorted(keys)


@pytest.mark.parametrize("table", RECORDED)
@pytest.mark.parametrize(
    "start", ["INSERT OR REPLACE INTO", "REPLACE INTO", "INSERT OR IGNORE INTO"]
)
def test_no_statement_of_sqlite_replaces_a_row(raw, table, start):
    """By every unique key of the table, and by the rowid, which no column need name."""
    before = contents(raw)[table]
    assert before, "an empty table refuses everything"
    names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
    for key in unique_keys(raw, table):
        others = [name for name in names if name not in key]
        # what is unique by another key is made new, so that this one alone is in the way
        fresh = ["id + 900" if name == "id" else f"'9' || {name}" for name in others]
        for values in ((*key, *others), (*key, *fresh)):
            statement = (
                f"{start} {table} ({', '.join((*key, *others))}) "
                f"SELECT {', '.join(values)} FROM {table} LIMIT 1"
            )
            with suppress(sqlite3.Error):
                raw.execute(statement)
            raw.commit()
            assert contents(raw)[table][: len(before)] == before, statement


@pytest.mark.parametrize("table", RECORDED)
@pytest.mark.parametrize(
    "attack",
    [
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        "REPLACE INTO {table} SELECT * FROM {table}",
        "UPDATE OR REPLACE {table} SET rowid = rowid + 1",
        "UPDATE OR IGNORE {table} SET rowid = rowid + 1",
        "UPDATE {table} SET rowid = -rowid",
        "UPDATE {table} SET {first} = {first} - 1",
        "DELETE FROM {table}",
        "DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})",
        "INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT DO UPDATE "
        "SET {first} = excluded.{first} - 1",
    ],
)
def test_sqlite_refuses_with_a_sentence(raw, table, attack):
    before = contents(raw)
    first = raw.execute(f"PRAGMA table_info({table})").fetchone()[1]
    with pytest.raises(sqlite3.IntegrityError, match=REFUSED):
        raw.execute(attack.format(table=table, first=first))
    raw.commit()
    assert contents(raw) == before


@pytest.mark.parametrize(
    "attack",
    [
        "INSERT OR REPLACE INTO audit VALUES ('1', '', 'x', 'x', 'x')",
        "INSERT OR REPLACE INTO audit VALUES (1.0, '', 'x', 'x', 'x')",
        "INSERT OR REPLACE INTO audit (oid, happened_at, actor, action, detail)"
        " VALUES (1, '', 'x', 'x', 'x')",
        "WITH new AS (SELECT 1 AS id) INSERT OR REPLACE INTO audit"
        " SELECT id, '', 'x', 'x', 'x' FROM new",
        "INSERT OR REPLACE INTO review_verdict (rowid, review_id, verdict_id, agrees)"
        " VALUES (1, 2, 3, 1)",
    ],
)
def test_a_key_spelled_otherwise_is_the_same_key(raw, attack):
    before = contents(raw)
    with pytest.raises(sqlite3.IntegrityError, match="never replaced"):
        raw.execute(attack)
    raw.commit()
    assert contents(raw) == before


def test_a_row_with_an_odd_number_does_not_stop_the_store(tmp_path, raw):
    raw.execute("INSERT INTO audit VALUES (-1, '', 'x', 'x', 'x')")
    raw.commit()
    with closing(ReviewStore(url(tmp_path))) as store:
        AccountStore(store).note(ADA, "exported", "all")
        assert store.add_patch(patch("c" * 64)).sha256 == "c" * 64
        assert store.verify_chain() == ["Audit entry -1 was added outside this program."]


@pytest.mark.parametrize("table", RECORDED)
def test_postgresql_refuses_the_same(postgresql, postgresql_url, table):
    filled(postgresql_url).close()
    everything = f"SELECT * FROM {table} ORDER BY 1, 2"
    with psycopg.connect(postgresql_url, autocommit=True) as server:
        before = server.execute(everything).fetchall()
        assert before, "an empty table refuses everything"
        key = server.execute(
            "SELECT string_agg(attname, ', ') FROM pg_index JOIN pg_attribute ON "
            "attrelid = indrelid AND attnum = ANY (indkey) "
            "WHERE indisprimary AND indrelid = %s::regclass",
            [table],
        ).fetchone()[0]
        change = "last_id = 0" if table == "log_head" else f"{key.split(',')[0]} = NULL"
        for attack in (
            f"UPDATE {table} SET {change}",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
            f"INSERT INTO {table} SELECT * FROM {table} ON CONFLICT ({key}) DO UPDATE SET {change}",
            f"MERGE INTO {table} USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
            f"WITH gone AS (DELETE FROM {table} RETURNING *) SELECT * FROM gone",
        ):
            with pytest.raises(psycopg.Error, match=REFUSED):
                server.execute(attack)
        assert server.execute(everything).fetchall() == before


# by the owner of the database, with triggers removed ---------------------------------------------


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE patch SET name = 'x.png' WHERE id = 2", "recorded of patch bbbbbbbbbbbb was chan"),
        (
            "UPDATE patch SET received_at = 'x' WHERE id = 2",
            "recorded of patch bbbbbbbbbbbb was ch",
        ),
        ("""UPDATE patch SET warnings = '["x"]' WHERE id = 2""", "patch bbbbbbbbbbbb was changed"),
        ("UPDATE double_read SET blind = NOT blind", "Double read 1 was changed"),
        (
            "UPDATE assignment SET account_id = 3 WHERE id = 1",
            "Assignment 1 to a reader .* changed",
        ),
        ("UPDATE shown_verdicts SET shown_at = 'later'", "A showing of patch aaaaaaaaaaaa was ch"),
        ("DELETE FROM shown_verdicts", "A showing of patch aaaaaaaaaaaa is missing"),
        ("UPDATE audit SET actor = 'x' WHERE id = 2", "Audit entry 2 was changed"),
        ("UPDATE audit SET happened_at = 'x' WHERE id = 2", "Audit entry 2 was changed"),
        ("DELETE FROM audit WHERE id = 2", "Audit entry 2 is missing"),
        (
            "INSERT INTO audit (id, happened_at, actor, action, detail)"
            " VALUES (99, '2026-01-01T00:00:00.000000+00:00', 'x', 'x', '')",
            "Audit entry 99 was added outside",
        ),
        ("DELETE FROM register WHERE id = 2", "Line 2 of the register is missing"),
        ("UPDATE register SET row_hash = 'x' WHERE id = 2", "Line 2 of the register was changed"),
        ("DELETE FROM register WHERE id > 3", "of the register are missing"),
    ],
)
def test_what_no_review_hashes_is_named_when_it_was_changed(store_url, store, statement, says):
    assert store.verify_chain() == []
    tamper(store_url, statement)
    sentences = " ".join(store.verify_chain())
    assert re.search(says, sentences), sentences


def test_a_cut_of_both_ends_shows_by_what_the_server_s_log_says(store_url, store, caplog):
    with caplog.at_level(logging.INFO, "her2core.reviews.store"):
        store.save_review(draft(supersedes=2, comment="the last"))
        AccountStore(store).note(ADA, "exported", "all")
        ReviewStore(store_url).close()
    saved, opened, closed = (record.getMessage() for record in caplog.records)
    assert saved.startswith("Review log saved: entry 3, hash ")
    assert closed == opened.replace("opened", "closed")
    entry = saved.split("hash ")[1].split(";")[0]
    line = opened.split("hash ")[-1]
    assert store.has_hash(entry)
    assert store.has_hash(line)
    last = store.register_head().last_id
    tamper(
        store_url,
        "DELETE FROM review_verdict WHERE review_id = 3",
        "DELETE FROM review WHERE id = 3",
        "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
        f"DELETE FROM register WHERE id = {last}",
        "UPDATE log_head SET last_id = 2, last_hash = (SELECT entry_hash FROM review WHERE id = 2)",
        f"UPDATE log_head SET register_id = {last - 1},"
        f" register_hash = (SELECT line_hash FROM register WHERE id = {last - 1})",
    )
    assert store.verify_chain() == []  # in itself it is whole
    assert not store.has_hash(entry)
    assert not store.has_hash(line)


def test_what_stood_there_before_the_register_is_in_it(store_url):
    engine = for_writing(open_engine(store_url, 5.0))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # this one comes with today's tables
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        command.upgrade(alembic_config(connection), "0013")
    moment = "2026-03-01T08:30:00.000000+00:00"
    with engine.begin() as connection:
        for statement in (
            f"INSERT INTO patch VALUES (1, '{SHA}', 'Ä', 300, 200, '{moment}', '[\"Öd\"]')",
            f"INSERT INTO audit VALUES (1, '{moment}', '{ADA}', 'exported', '')",
            f"INSERT INTO shown_verdicts VALUES ('{ADA}', '{SHA}', '{moment}')",
            f"INSERT INTO account VALUES (1, '{ADA}', 'x', 'reviewer', NULL, NULL, false, "
            f"'{moment}')",
            f"INSERT INTO double_read VALUES (1, 1, true, '{moment}')",
            f"INSERT INTO assignment VALUES (1, 1, 1, 1, 'double', 'Root', '{moment}')",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()
    with closing(ReviewStore(store_url)) as store:
        assert store.verify_chain() == []
        assert store.register_head().last_id == 5
        store.showings.record(BO, [SHA])
        assert store.register_head().last_id == 6
        assert store.verify_chain() == []
    tamper(store_url, "UPDATE patch SET name = 'x'")
    with closing(ReviewStore(store_url)) as store:
        assert len(store.verify_chain()) == 1
