"""The store records what a reviewer answered, refuses what contradicts itself, loses nothing."""

from __future__ import annotations

import math
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError

import her2core.accounts.tables  # noqa: F401  the schema is compared with all tables
from her2core.preprocessing.patches import Square
from her2core.reviews.database import parse_url
from her2core.reviews.records import ReviewFilter
from her2core.reviews.schema import Base
from her2core.reviews.store import (
    ReviewNotFoundError,
    ReviewRefusedError,
    ReviewStore,
    StoreError,
)
from her2core.scores import HER2Score
from her2core.settings import PROJECT_ROOT
from tests.review_samples import (
    MORNING,
    SHA,
    SQUARE,
    STAIN,
    VERDICTS,
    draft,
    open_store,
    patch,
    tamper,
    url,
    verdict,
)
from tests.whole_worklist import whole_worklist

ROOT = PROJECT_ROOT


@pytest.fixture
def store(store_url):
    opened = open_store(store_url)
    yield opened
    opened.close()


class TestRecording:
    def test_a_review_comes_back_as_it_was_answered(self, store):
        saved = store.save_review(draft())
        assert saved.id == 1
        assert saved.patch == patch()
        assert saved.verdicts == VERDICTS
        assert saved.agrees == {"cnn": True, "densenet121": False}
        assert saved.own_score is HER2Score.THREE_PLUS
        assert (saved.confidence, saved.comment, saved.seconds) == ("high", "circumferential", 12.5)
        assert saved.blind is False
        assert saved.recorded_at.utcoffset() == timedelta(0)
        assert store.review(1) == saved
        assert store.reviews() == [saved]

    def test_it_is_still_there_when_the_store_is_opened_anew(self, store_url, store):
        saved = store.save_review(draft())
        store.close()
        with closing(ReviewStore(store_url)) as again:
            assert again.review(saved.id) == saved

    def test_an_unanswered_verdict_stays_unanswered(self, store):
        saved = store.save_review(draft(agrees={"cnn": False}))
        assert saved.agrees == {"cnn": False, "densenet121": None}

    def test_a_review_without_verdicts_invents_none(self, store):
        saved = store.save_review(draft(verdicts=(), agrees={}))
        assert (saved.verdicts, saved.agrees, saved.verdict("cnn")) == ((), {}, None)

    def test_what_a_reviewer_saw_is_kept_when_the_model_says_otherwise_later(self, store):
        first = store.save_review(draft())
        recalibrated = replace(VERDICTS[0], probabilities=(0.25, 0.25, 0.3, 0.2))
        second = store.save_review(draft(verdicts=(recalibrated, VERDICTS[1])))
        assert store.review(first.id).verdicts == VERDICTS
        assert store.review(second.id).verdict("cnn") == recalibrated

    def test_a_reading_within_rounding_is_not_recorded_twice(self, store_url, store):
        close = replace(VERDICTS[0], probabilities=(0.1 + 1e-7, 0.1, 0.1, 0.7 - 1e-7))
        store.record_verdicts(SHA, SQUARE, VERDICTS)
        store.record_verdicts(SHA, SQUARE, VERDICTS)
        store.record_verdicts(SHA, SQUARE, [close])
        assert _count(store_url, "verdict") == 2
        saved = store.save_review(draft(verdicts=(close,), agrees={}))
        assert saved.verdicts == (close,), "a review keeps the very numbers that were shown"

    def test_the_same_bytes_are_one_patch_under_their_first_name(self, store):
        again = store.add_patch(patch(name="copy.png", received_at=MORNING + timedelta(days=1)))
        assert again == patch()
        assert store.patches() == [patch()]
        assert store.patch(SHA) == patch()
        assert store.patch("b" * 64) is None

    def test_times_of_any_zone_are_kept_in_utc(self, store):
        east = datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=9)))
        kept = store.add_patch(patch("b" * 64, received_at=east))
        assert kept.received_at == east
        assert kept.received_at.tzinfo == UTC

    def test_a_negative_zero_is_recorded_as_it_comes_back(self, store):
        """SQLite drops its sign, and an entry hashed with it would read as changed."""
        shown = replace(VERDICTS[0], probabilities=(-0.0, 0.1, 0.2, 0.7), novelty=-0.0)
        store.save_review(
            draft(
                verdicts=(shown,),
                agrees={},
                seconds=-0.0,
                stain=replace(STAIN, intensity=-0.0, completeness=-0.0),
            )
        )
        assert store.verify_chain() == []

    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        comment=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        seconds=st.floats(0, 1e9),
        raw=st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
    )
    def test_any_text_and_number_returns_unchanged(self, store, comment, seconds, raw):
        probabilities = tuple(p / sum(raw) for p in raw)
        shown = replace(VERDICTS[0], probabilities=probabilities)
        saved = store.save_review(
            draft(comment=comment, seconds=seconds, verdicts=(shown,), agrees={})
        )
        reread = store.review(saved.id)
        assert reread == saved
        assert (reread.comment, reread.seconds, reread.verdicts) == (comment, seconds, (shown,))


class TestRefusing:
    @pytest.mark.parametrize(
        "change",
        [
            {"reviewer": "  "},
            {"reviewer": "x" * 81},
            {"reviewer": "Ada\nLovelace"},
            {"reviewer": "Ada\u202eecalevoL"},
            {"comment": "x" * 4001},
            {"comment": "nul \0"},
            {"comment": "\ud800"},
            {"seconds": -0.1},
            {"seconds": math.nan},
            {"seconds": math.inf},
            {"own_score": None},
            {"own_score": 2},
            {"confidence": ""},
            {"agrees": {"resnet": True}},
            {"agrees": {"cnn": "yes"}},
            {"blind": True},
            {"patch_sha256": "b" * 64},
            {"square": Square(150, 0, 200)},
            {"square": Square(-1, 0, 100)},
            {"square": Square(0, 0, 0)},
            {"supersedes": 99},
            {"verdicts": (replace(VERDICTS[0], probabilities=(0.5, 0.5, 0.5, 0.5)),)},
            {"verdicts": (replace(VERDICTS[0], probabilities=(math.nan, 0.0, 0.0, 1.0)),)},
            {"verdicts": (replace(VERDICTS[0], probabilities=(1.2, -0.2, 0.0, 0.0)),)},
            {"verdicts": (replace(VERDICTS[0], model_id=""),)},
            {"verdicts": (VERDICTS[0], replace(VERDICTS[0], model_id="cnn-other"))},
        ],
    )
    def test_what_is_incomplete_or_contradicts_itself(self, store, change):
        facts: dict[str, Any] = {"agrees": {}} if "verdicts" in change else {}
        with pytest.raises(ReviewRefusedError) as refusal:
            store.save_review(draft(**{**facts, **change}))
        assert str(refusal.value).endswith(".")
        assert store.reviews() == []
        assert store.reviewers() == []

    def test_a_blind_review_without_answers_is_fine(self, store):
        saved = store.save_review(draft(blind=True, agrees={"cnn": None}))
        assert saved.blind
        assert saved.agrees == {"cnn": None, "densenet121": None}
        assert saved.verdicts == VERDICTS

    def test_verdicts_of_an_unknown_patch_or_beyond_it(self, store):
        with pytest.raises(ReviewRefusedError, match="not known"):
            store.record_verdicts("b" * 64, SQUARE, VERDICTS)
        with pytest.raises(ReviewRefusedError, match="300 x 200"):
            store.record_verdicts(SHA, Square(0, 0, 201), VERDICTS)

    @pytest.mark.parametrize(
        "broken", [{"sha256": "A" * 64}, {"sha256": "x"}, {"width": 0}, {"name": "a\0b"}]
    )
    def test_a_patch_that_is_none(self, store, broken):
        with pytest.raises(ReviewRefusedError):
            store.add_patch(replace(patch("c" * 64), **broken))

    def test_an_entry_that_is_not_there(self, store):
        with pytest.raises(ReviewNotFoundError, match="no entry 7"):
            store.review(7)


class TestCorrecting:
    def test_a_correction_is_a_new_entry_and_the_old_one_stays(self, store):
        first = store.save_review(draft())
        second = store.save_review(draft(own_score=HER2Score.TWO_PLUS, supersedes=first.id))
        assert store.review(first.id) == replace(first, superseded_by=second.id)
        assert second.supersedes == first.id
        assert store.reviews() == [second]
        everything = store.reviews(ReviewFilter(include_superseded=True))
        assert [review.id for review in everything] == [second.id, first.id]

    def test_only_once_by_its_author_and_for_the_same_patch(self, store):
        store.add_patch(patch("b" * 64))
        store.save_review(draft())
        with pytest.raises(ReviewRefusedError, match="another reviewer's"):
            store.save_review(draft(reviewer="Dr. Other", supersedes=1))
        with pytest.raises(ReviewRefusedError, match="another patch"):
            store.save_review(draft(patch_sha256="b" * 64, supersedes=1))
        store.save_review(draft(supersedes=1))
        with pytest.raises(ReviewRefusedError, match="already corrected by review 2"):
            store.save_review(draft(supersedes=1))
        assert store.reviewers() == ["Dr. Ada Example"]
        assert store.save_review(draft(supersedes=2)).id == 3

    @pytest.mark.parametrize("table", ["review", "review_verdict", "verdict", "patch", "reviewer"])
    @pytest.mark.parametrize("change", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
    def test_the_database_itself_refuses_changes(self, store_url, store, table, change):
        store.save_review(draft())
        column = {"review_verdict": "review_id", "patch": "name"}.get(table, "id")
        with (
            create_engine(parse_url(store_url)).connect() as raw,
            pytest.raises(DatabaseError, match="never changed or deleted"),
        ):
            raw.exec_driver_sql(change.format(table, column))

    @pytest.mark.parametrize(
        ("table", "says"),
        [
            ("review", "recorded review is"),
            ("review_verdict", "answers of a recorded review are"),
            ("verdict", "recorded verdict is"),
            ("review_stain", "stain reading of a recorded review is"),
            ("patch", "recorded patch is"),
            ("reviewer", "reviewer who has recorded reviews is"),
            ("double_read", "double read is"),
            ("assignment", "An assignment is"),
        ],
    )
    def test_postgresql_refuses_to_empty_a_table(self, postgresql, postgresql_url, table, says):
        with (
            postgresql.connection(postgresql_url) as raw,
            pytest.raises(psycopg.Error, match=f"{says} never changed or deleted"),
        ):
            raw.execute(f"TRUNCATE {table} CASCADE")

    def test_the_database_itself_refuses_a_score_that_is_none(self, store_url, store):
        store.save_review(draft())
        values = {"id": "2", "own_score": "4", "token": "NULL", "entry_hash": "'x'"}
        columns = [column.name for column in Base.metadata.tables["review"].columns]
        chosen = ", ".join(values.get(column, column) for column in columns)
        with (
            create_engine(parse_url(store_url)).connect() as raw,
            pytest.raises(IntegrityError, match="own_score"),
        ):
            raw.exec_driver_sql(
                f"INSERT INTO review ({', '.join(columns)}) SELECT {chosen} FROM review"
            )


class TestSavingTwice:
    def test_a_doubled_click_is_recorded_once(self, store):
        first = store.save_review(draft(), token="t-1")
        assert store.save_review(draft(seconds=13.0), token="t-1") == first
        assert store.save_review(draft(), token="t-2").id == 2

    def test_another_answer_under_the_same_token_is_not_swallowed(self, store):
        store.save_review(draft(), token="t-1")
        with pytest.raises(ReviewRefusedError, match="review 1"):
            store.save_review(draft(own_score=HER2Score.ZERO), token="t-1")

    def test_a_token_must_be_one(self, store):
        for token in ("", "x" * 65):
            with pytest.raises(ReviewRefusedError, match="token"):
                store.save_review(draft(), token=token)

    def test_clicks_at_the_same_moment_are_one_review(self, store):
        ids = _in_threads(8, lambda _: store.save_review(draft(), token="same").id)
        assert ids == [1] * 8
        assert len(store.reviews()) == 1


class TestListing:
    @pytest.fixture
    def log(self, store_url):
        """Four reviews, one a day: (own score, CNN, DenseNet121)."""
        days = iter(MORNING + timedelta(days=n) for n in range(10))
        store = open_store(store_url, clock=lambda: next(days))
        store.add_patch(patch("b" * 64, name="Gewebe ÄÖ.png"))
        cases = [
            ("Ada", SHA, 3, 3, 3, "complete staining"),
            ("Ada", "b" * 64, 2, 2, 3, ""),
            ("Bo", SHA, 0, 3, 0, "faint, 100 % sure_"),
            ("bo", "b" * 64, 1, 1, 1, "STRASSE"),
        ]
        for name, sha, own, cnn, densenet, comment in cases:
            store.save_review(
                draft(
                    reviewer=name,
                    patch_sha256=sha,
                    own_score=HER2Score(own),
                    verdicts=(verdict("cnn", cnn), verdict("densenet121", densenet)),
                    agrees={},
                    comment=comment,
                )
            )
        yield store
        store.close()

    @pytest.mark.parametrize(
        ("wanted", "ids"),
        [
            (ReviewFilter(), [4, 3, 2, 1]),
            (ReviewFilter(reviewers=("Ada",)), [2, 1]),
            (ReviewFilter(reviewers=("Ada", "bo")), [4, 2, 1]),
            (ReviewFilter(scores=(HER2Score.ZERO, HER2Score.TWO_PLUS)), [3, 2]),
            (ReviewFilter(agreement="agrees"), [4, 1]),
            (ReviewFilter(agreement="disagrees"), [3, 2]),
            (ReviewFilter(model_gap=(0,)), [4, 1]),
            (ReviewFilter(model_gap=(1, 3)), [3, 2]),
            (ReviewFilter(model_gap=(2,)), []),
            (ReviewFilter(since=MORNING + timedelta(days=1)), [4, 3, 2]),
            (ReviewFilter(until=MORNING + timedelta(days=1)), [2, 1]),
            (ReviewFilter(since=datetime(2026, 3, 4, 8, 30)), [4]),
            (ReviewFilter(text="STAINING"), [1]),
            (ReviewFilter(text="gewebe äö"), [4, 2]),
            (ReviewFilter(text="straße"), [4]),
            (ReviewFilter(text="bbbb"), [4, 2]),
            (ReviewFilter(text="%"), [3]),
            (ReviewFilter(text="_"), [3]),
            (ReviewFilter(reviewers=("Ada",), agreement="disagrees", text="png"), [2]),
        ],
    )
    def test_every_filter_narrows_as_it_says(self, log, wanted, ids):
        assert [review.id for review in log.reviews(wanted)] == ids

    def test_reviews_without_two_verdicts_have_no_gap_and_without_any_no_agreement(self, log):
        log.save_review(draft(verdicts=(), agrees={}))
        log.save_review(draft(verdicts=VERDICTS[:1], agrees={}))
        assert 5 not in {r.id for r in log.reviews(ReviewFilter(agreement="agrees"))}
        assert 5 not in {r.id for r in log.reviews(ReviewFilter(agreement="disagrees"))}
        assert {5, 6}.isdisjoint(r.id for r in log.reviews(ReviewFilter(model_gap=(0, 1, 2, 3))))

    def test_reviewers_are_listed_by_name(self, log):
        assert log.reviewers() == ["Ada", "Bo", "bo"]


class TestWorklist:
    def test_unreviewed_patches_come_first_in_order_of_arrival(self, store):
        for letter in "bcd":
            store.add_patch(patch(letter * 64))
        store.save_review(draft(reviewer="Ada"))
        store.save_review(draft(reviewer="Ada", patch_sha256="c" * 64))
        store.save_review(draft(reviewer="Bo", patch_sha256="b" * 64))
        assert [(i.patch.sha256[0], i.review_id) for i in whole_worklist(store, " Ada ")] == [
            ("b", None),
            ("d", None),
            ("a", 1),
            ("c", 2),
        ]
        assert [i.review_id for i in whole_worklist(store, "")] == [None] * 4

    def test_the_current_review_and_the_latest_verdicts_are_shown(self, store):
        assert whole_worklist(store, "Ada")[0].verdicts == ()
        store.save_review(draft(reviewer="Ada"))
        store.save_review(draft(reviewer="Ada", supersedes=1))
        newer = (verdict("cnn", 0), verdict("densenet121", 1))
        store.record_verdicts(SHA, SQUARE, newer)
        (item,) = whole_worklist(store, "Ada")
        assert item.review_id == 2
        assert item.verdicts == newer

    def test_what_an_earlier_model_said_is_not_shown_as_of_the_one_in_use(self, store):
        old, new, other = verdict("cnn", 0), verdict("cnn", 3, model_id="cnn-new"), VERDICTS[1]
        used = {"cnn": "cnn-new", "densenet121": other.model_id}
        store.record_verdicts(SHA, SQUARE, (old, other))
        (item,) = whole_worklist(store, "Ada", used)
        assert (item.verdicts, item.earlier) == ((other,), {"cnn"})
        store.record_verdicts(SHA, SQUARE, (new, other))
        assert [(i.verdicts, i.earlier) for i in whole_worklist(store, "Ada", used)] == [
            ((new, other), frozenset())
        ]
        # the former one comes back: what it said is known, and not recorded a second time
        store.record_verdicts(SHA, SQUARE, (old, other))
        used = {"cnn": old.model_id, "densenet121": other.model_id}
        assert [(i.verdicts, i.earlier) for i in whole_worklist(store, "Ada", used)] == [
            ((old, other), frozenset())
        ]

    def test_the_square_shown_is_one_that_all_models_in_use_have_read(self, store):
        old, new, other = verdict("cnn", 0), verdict("cnn", 3, model_id="cnn-new"), VERDICTS[1]
        store.record_verdicts(SHA, SQUARE, (old, other))
        store.record_verdicts(SHA, Square(0, 0, 100), (new, other))
        for model, shown in ((old, (old, other)), (new, (new, other))):
            used = {"cnn": model.model_id, "densenet121": other.model_id}
            assert [item.verdicts for item in whole_worklist(store, "", used)] == [shown]
        # of a network that failed to load, the reading of the centred square stays
        (item,) = whole_worklist(store, "", {"densenet121": other.model_id})
        assert (item.verdicts, item.earlier) == ((old, other), frozenset())

    def test_a_square_that_somebody_tries_does_not_stand_for_the_patch(self, store):
        used = {one.architecture: one.model_id for one in VERDICTS}
        aside, further = Square(0, 0, 100), Square(0, 0, 120)
        moved = (verdict("cnn", 0), verdict("densenet121", 1))
        store.record_verdicts(SHA, aside, moved)
        assert [item.verdicts for item in whole_worklist(store, "", used)] == [moved]
        store.record_stain(SHA, SQUARE, STAIN)
        store.record_verdicts(SHA, SQUARE, VERDICTS)
        store.record_verdicts(SHA, further, moved)
        for models in (used, {}):
            (item,) = whole_worklist(store, "", models)
            assert (item.verdicts, item.stain, item.earlier) == (VERDICTS, STAIN, frozenset())
        # no model in use has read it: what the measurement says does not wait for them
        (item,) = whole_worklist(store, "", {"cnn": "cnn-new", "densenet121": "densenet121-new"})
        assert (item.verdicts, item.stain) == ((), STAIN)


class TestManyWriters:
    def test_threads_neither_lose_nor_double_an_entry(self, store):
        tokens = [f"{n}" for n in range(40)]

        def work(thread: int) -> list[int]:
            mine = tokens[thread::4]
            return [store.save_review(draft(comment=token), token=token).id for token in mine]

        ids = sorted(chain.from_iterable(_in_threads(4, work)))
        assert ids == list(range(1, 41))
        assert sorted(r.comment for r in store.reviews()) == sorted(tokens)
        assert store.verify_chain() == []

    @pytest.mark.parametrize("database", ["sqlite", "postgresql"])
    def test_two_processes_open_a_new_database_and_write_to_it_together(
        self, request, tmp_path, database
    ):
        # on PostgreSQL one without any tables yet, so that both migrate it
        where = (
            url(tmp_path)
            if database == "sqlite"
            else request.getfixturevalue("postgresql").new_database()
        )
        code = (
            "import sys; from review_samples import *\n"
            "store = open_store(sys.argv[1])\n"
            "for n in range(15):\n"
            "    print(store.save_review(draft(comment=f'{sys.argv[2]} {n}')).id)\n"
        )
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", code, where, name],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=_environment(),
            )
            for name in ("left", "right")
        ]
        outputs = [worker.communicate(timeout=120) for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0], outputs
        ids = sorted(int(line) for out, _ in outputs for line in out.split())
        assert ids == list(range(1, 31))
        with closing(ReviewStore(where)) as store:
            assert len({review.comment for review in store.reviews()}) == 30
            assert store.verify_chain() == []
            assert len(store.patches()) == 1


class TestSchema:
    def test_a_new_database_has_exactly_the_tables_of_the_code(self, store_url, store):
        with create_engine(parse_url(store_url)).connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []

    def test_a_database_of_a_newer_version_is_left_alone(self, store_url, store):
        store.close()
        tamper(store_url, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StoreError, match=r"newer version .*9999.*update this installation"):
            ReviewStore(store_url)

    def test_an_unreadable_entry_is_a_sentence_too(self, store_url, store):
        store.save_review(draft())
        tamper(store_url, "UPDATE review SET recorded_at = 'yesterday'")
        with pytest.raises(StoreError, match="verify"):
            store.reviews()


class TestSqlite:
    @pytest.fixture
    def store(self, tmp_path):
        opened = open_store(tmp_path)
        yield opened
        opened.close()

    def test_folder_and_file_are_for_the_owner_alone(self, tmp_path, store):
        folder = tmp_path / "home"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for file in folder.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file

    def test_commits_wait_for_the_disk(self, store):
        with store.engine.connect() as connection:
            settings = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        full = 2
        assert settings == {
            "journal_mode": "wal",
            "synchronous": full,
            "foreign_keys": 1,
            "busy_timeout": 10_000,
        }

    def test_migrations_and_code_agree_on_checks_too(self, tmp_path, store):
        with closing(sqlite3.connect(":memory:")) as fresh:
            engine = create_engine("sqlite://", creator=lambda: fresh)
            Base.metadata.create_all(engine)
            assert _checks(fresh) == _checks_of(tmp_path)

    def test_a_locked_database_is_one_calm_sentence_and_nothing_is_recorded(self, tmp_path):
        store = open_store(tmp_path, busy_seconds=0.05)
        with closing(sqlite3.connect(tmp_path / "home" / "reviews.sqlite3")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="busy"):
                store.save_review(draft())
            assert store.reviews() == [], "reading goes on while another writes"
        assert store.save_review(draft()).id == 1

    def test_a_full_disk_keeps_the_log_as_it_was(self, tmp_path):
        store = open_store(tmp_path)
        store.save_review(draft())
        store.engine.dispose()

        @event.listens_for(store.engine, "connect")
        def no_room(connection, _record):
            connection.execute("PRAGMA max_page_count = 1")  # SQLite: no page beyond today's

        def fill_up():
            for _ in range(200):
                store.save_review(draft(comment="x" * 4000))

        with pytest.raises(StoreError, match="full") as refusal:
            fill_up()
        assert "xxx" not in str(refusal.value)
        assert store.verify_chain() == []

    def test_a_read_only_database_says_so(self, tmp_path, store):
        store.close()
        path = tmp_path / "home" / "reviews.sqlite3"
        with pytest.raises(StoreError, match="read-only"):
            ReviewStore(f"sqlite:///file:{path}?mode=ro&uri=true").save_review(draft())

    def test_a_file_that_is_no_database_says_so(self, tmp_path):
        file = tmp_path / "notes.txt"
        file.write_text("not a database, but long enough to have been one " * 100)
        with pytest.raises(StoreError, match="not a database"):
            ReviewStore(f"sqlite:///{file}")

    @pytest.mark.parametrize(
        "address", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "nosuch://x/y"]
    )
    def test_an_address_that_cannot_keep_reviews_is_refused(self, address):
        with pytest.raises(StoreError):
            ReviewStore(address)

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match="could not be made"):
            ReviewStore(f"sqlite:///{tmp_path / 'file' / 'reviews.sqlite3'}")


def _in_threads(count, work):
    results = [None] * count
    barrier = threading.Barrier(count)

    def run(number):
        barrier.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _environment():
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return {**os.environ, "PYTHONPATH": paths}


def _count(where, table):
    with create_engine(parse_url(where)).connect() as raw:
        return raw.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()


def _checks_of(folder):
    with closing(sqlite3.connect(folder / "home" / "reviews.sqlite3")) as raw:
        return _checks(raw)


def _checks(raw):
    """table -> its CHECK clauses, as SQLite keeps them."""
    tables = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        name: sorted(line.strip(" ,\n\t") for line in sql.splitlines() if "CHECK" in line)
        for name, sql in tables
        if name != "alembic_version"
    }
