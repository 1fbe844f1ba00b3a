"""Slide or case and label of a patch: kept, in a study too, and over a change of schema."""

from __future__ import annotations

import io
from contextlib import closing
from dataclasses import replace

import pytest
from alembic import command
from sqlalchemy import text

from her2core.accounts.records import Identity
from her2core.people.worklist import Worklist
from her2core.reviews import cases
from her2core.reviews.database import for_writing, open_engine
from her2core.reviews.errors import ReviewRefusedError
from her2core.reviews.migrations import alembic_config
from her2core.reviews.store import ReviewStore
from her2core.reviews.study_archive import StudyReader, write_study
from her2core.reviews.worklist_filter import WorklistFilter
from her2core.scores import HER2Score
from tests.review_samples import SHA, patch
from tests.whole_worklist import screenfuls

ANYBODY = Identity("", "reviewer", "open")


def of_case(store: ReviewStore, case: str) -> list[str]:
    asked = Worklist(store, ANYBODY, {}, wanted=WorklistFilter(case=case))
    return [item.patch.sha256 for item in screenfuls(asked)]


def test_what_is_told_later_is_added_and_what_contradicts_is_left(store_url):
    with closing(ReviewStore(store_url)) as store:
        store.add_patch(patch())
        assert of_case(store, "M 17") == []
        with store.writing() as session:
            assert cases.note(session, SHA, "", HER2Score.ONE_PLUS) == []
            assert cases.note(session, SHA, "M 17", None) == []
            stands = cases.note(session, SHA, "M 18", HER2Score.ZERO)
        assert stands == ["slide or case “M 17”", "label 1+"]
        (kept,) = store.patches()
        assert (kept.case, kept.label) == ("M 17", HER2Score.ONE_PLUS)
        assert of_case(store, "m 17") == [SHA]
        assert store.rebuild() == []
        with pytest.raises(ReviewRefusedError), store.writing() as session:
            cases.note(session, "f" * 64, "M 1", None)


def test_a_study_carries_it_to_another_installation(store_url, tmp_path):
    one = patch(case="M 17", label=HER2Score.THREE_PLUS)
    file = io.BytesIO()
    with closing(ReviewStore(store_url)) as store:
        assert store.add_patch(one) == one
        write_study(file, store.study(), lambda _sha256: None)
    with closing(ReviewStore(f"sqlite:///{tmp_path / 'other.sqlite3'}")) as other:
        other.adopt(StudyReader(file, 10**6).study)
        assert other.patches() == [one]


def test_a_database_of_before_is_filled_anew(store_url):
    engine = for_writing(open_engine(store_url, 5.0))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # this one comes with today's tables
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        command.upgrade(alembic_config(connection), "0017")
        connection.execute(
            text(
                "INSERT INTO patch (sha256, name, width, height, received_at, warnings) VALUES "
                "(:sha, 'old.png', 300, 200, '2026-03-01T08:30:00.000000+00:00', '[]')"
            ),
            {"sha": SHA},
        )
        # as the former rules filled it: what it says is not to be believed any more
        connection.execute(
            text(
                "INSERT INTO derived (name, filled_to, complete) VALUES ('1 patches {}', 1, :yes)"
            ),
            {"yes": True},
        )
    engine.dispose()
    with closing(ReviewStore(store_url)) as store:
        assert screenfuls(Worklist(store, ANYBODY, {}))[0].patch.name == "old.png"
        second = replace(patch("b" * 64), case="M 18")
        store.add_patch(second)
        assert of_case(store, "M 18") == ["b" * 64]
        assert store.rebuild() == []
