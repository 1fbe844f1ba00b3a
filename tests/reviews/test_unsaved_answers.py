"""Answers begun in the database: whose they are, when they go, and what may lie in a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from her2core.preprocessing.image_store import ImageStore
from her2core.preprocessing.patches import Square
from her2core.reviews.database import parse_url
from her2core.reviews.retention import forget_images
from her2core.reviews.store import ReviewStore
from her2core.reviews.study_rows import read_study
from her2core.reviews.unsaved import Judged, Place, UnsavedAnswer
from her2core.scores import HER2Score
from tests.review_samples import SHA, draft, patch

NOW = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
ANSWER = UnsavedAnswer(
    token="t" * 32,
    own_score=HER2Score.TWO_PLUS,
    judged={"cnn": Judged(False, Square(0, 0, 64), "cnn-1")},
    confidence="low",
    comment="typed for long",
    square=Square(1, 2, 64),
    correcting=None,
    overtaken=False,
    from_review=False,
    seconds=4.5,
)


@pytest.fixture
def store(store_url: str) -> Iterator[ReviewStore]:
    with closing(ReviewStore(store_url, clock=lambda: NOW)) as opened:
        yield opened


def test_it_is_found_by_another_server_and_by_nobody_else(store_url, store):
    assert store.unsaved.keep("Dr. Ada", SHA, ANSWER)
    with closing(ReviewStore(store_url)) as another:
        found = another.unsaved.find(" Dr. Ada ", SHA)
        assert (found, found.seconds) == (ANSWER, 4.5)
        for name in ("Dr. Bo", "dr. ada", ""):
            assert another.unsaved.find(name, SHA) is None
        assert another.unsaved.find("Dr. Ada", "0" * 64) is None


def test_the_last_one_counts_and_a_dropped_one_is_gone(store):
    store.unsaved.keep("Dr. Ada", SHA, ANSWER)
    later = replace(ANSWER, comment="and more", square=None, judged={})
    store.unsaved.keep("Dr. Ada", SHA, later)
    assert store.unsaved.find("Dr. Ada", SHA) == later
    store.unsaved.drop("Dr. Ada", SHA)
    store.unsaved.drop("Dr. Ada", SHA)
    assert store.unsaved.find("Dr. Ada", SHA) is None


def test_without_a_name_nothing_is_kept(store_url, store):
    for name in ("", "  ", "Dr.\x00Ada", "x" * 81):
        assert not store.unsaved.keep(name, SHA, ANSWER)
    assert rows(store_url) == []


# a comment may hold anything that a browser can send
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(comment=st.text(st.characters(), max_size=40), score=st.none() | st.sampled_from(HER2Score))
def test_whatever_is_typed_comes_back_as_it_was(store, comment, score):
    answer = replace(ANSWER, comment=comment, own_score=score)
    store.unsaved.keep("Dr. Ada", SHA, answer)
    assert store.unsaved.find("Dr. Ada", SHA) == answer


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"comment": "Jane"}', "null"])
def test_a_row_that_is_no_answer_is_passed_over_and_not_logged(store_url, store, content, caplog):
    store.unsaved.keep("Dr. Ada", SHA, ANSWER)
    with create_engine(parse_url(store_url)).begin() as raw:
        raw.exec_driver_sql(f"UPDATE unsaved_answer SET content = '{content}'")
    assert store.unsaved.find("Dr. Ada", SHA) is None
    assert "Jane" not in caplog.text
    assert store.unsaved.keep("Dr. Ada", SHA, ANSWER)
    assert store.unsaved.find("Dr. Ada", SHA) == ANSWER


@pytest.mark.parametrize("score", [None, 0, 2])
def test_an_answer_kept_by_an_earlier_version_is_read(store_url, store, score):
    """Its score had another name then."""
    store.unsaved.keep("Dr. Ada", SHA, ANSWER)
    content = asdict(ANSWER)
    del content["own_score"]
    with create_engine(parse_url(store_url)).begin() as raw:
        raw.execute(
            text("UPDATE unsaved_answer SET content = :content"),
            {"content": json.dumps({**content, "score": score})},
        )
    expected = None if score is None else HER2Score(score)
    assert store.unsaved.find("Dr. Ada", SHA) == replace(ANSWER, own_score=expected)


def saved(store: ReviewStore) -> None:
    """Ada saves what she has answered, under the token of the answer kept."""
    facts = {"reviewer": "Dr. Ada", "confidence": "low", "comment": ANSWER.comment}
    store.save_review(draft(own_score=HER2Score.TWO_PLUS, **facts), token=ANSWER.token)


def test_saving_ends_it_in_the_same_transaction_and_no_other_answer(store):
    store.add_patch(patch())
    store.unsaved.keep("Dr. Bo", SHA, ANSWER)
    store.unsaved.keep("Dr. Ada", SHA, ANSWER)
    saved(store)
    assert store.unsaved.find("Dr. Ada", SHA) is None
    assert store.unsaved.find("Dr. Bo", SHA) == ANSWER


@pytest.mark.parametrize(
    "changes", [{"token": "u" * 32}, {"comment": "more"}, {"own_score": HER2Score.THREE_PLUS}]
)
def test_what_another_window_went_on_with_outlives_the_save(store, changes):
    store.add_patch(patch())
    other = replace(ANSWER, **changes)
    store.unsaved.keep("Dr. Ada", SHA, other)
    saved(store)
    assert store.unsaved.find("Dr. Ada", SHA) == other


def test_it_is_neither_in_the_chain_nor_in_a_study(store):
    store.add_patch(patch())
    before = store.head()
    store.unsaved.keep("Dr. Ada", SHA, ANSWER)
    assert store.head() == before
    assert store.verify_chain() == []
    with store.reading() as session:
        assert "typed for long" not in repr(read_study(session))


def test_it_is_forgotten_with_old_images_by_the_day_it_was_changed(store, tmp_path):
    images = ImageStore(tmp_path / "images")
    store.unsaved.keep("Dr. Ada", SHA, ANSWER)
    store.unsaved.keep_place("Dr. Ada", Place(SHA))
    assert forget_images(store, images, 30, NOW + timedelta(days=30)).answers == 0
    assert store.unsaved.find("Dr. Ada", SHA) == ANSWER
    assert forget_images(store, images, 30, NOW + timedelta(days=31)).answers == 1
    assert store.unsaved.find("Dr. Ada", SHA) is None


def test_where_a_person_was_is_told_once_and_for_half_a_day(store_url, store):
    place = Place(SHA, "doubt", blind=True)
    store.unsaved.keep_place("Dr. Ada", place)
    assert store.unsaved.take_place("Dr. Bo") is None
    assert store.unsaved.take_place("Dr. Ada") == place
    assert store.unsaved.take_place("Dr. Ada") is None
    store.unsaved.keep_place("Dr. Ada", place)
    with closing(ReviewStore(store_url, clock=lambda: NOW + timedelta(hours=13))) as later:
        assert later.unsaved.take_place("Dr. Ada") is None


def rows(store_url: str) -> list[object]:
    with create_engine(parse_url(store_url)).connect() as raw:
        return list(raw.exec_driver_sql("SELECT * FROM unsaved_answer"))
