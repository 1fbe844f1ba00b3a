"""Patches taken from a slide know where, in the store, in exports and over a change of schema."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

from alembic import command
from sqlalchemy import text

from her2core.preprocessing.patches import Square
from her2core.reviews import derived, worklist_queries
from her2core.reviews.columns import ExportOptions
from her2core.reviews.database import for_writing, open_engine
from her2core.reviews.derived import patches_by
from her2core.reviews.export import to_csv, to_json
from her2core.reviews.migrations import alembic_config
from her2core.reviews.records import Origin, PatchRecord, ReviewDraft
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score

ORIGIN = Origin("Müller 17.svs", 12_000, 3_400, 800, 0.2527)
PATCH = PatchRecord("a" * 64, "x.png", 800, 800, datetime(2026, 3, 1, tzinfo=UTC), (), ORIGIN)


def review_of(score: HER2Score) -> ReviewDraft:
    return ReviewDraft(
        patch_sha256=PATCH.sha256,
        square=Square(0, 0, 800),
        reviewer="Dr. Ada",
        verdicts=(),
        agrees={},
        own_score=score,
        confidence="high",
    )


def row_of(store: ReviewStore, names: bool) -> dict[str, str]:
    data = to_csv(store.reviews(), ExportOptions(include_names=names))
    return next(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_the_place_is_kept_and_exported_and_the_slide_is_named_when_asked(store_url):
    store = ReviewStore(store_url)
    try:
        store.add_patch(PATCH)
        store.add_patch(replace(PATCH, sha256="b" * 64, origin=None))
        assert [patch.origin for patch in store.patches()] == [ORIGIN, None]
        store.save_review(review_of(HER2Score.TWO_PLUS))
        row = row_of(store, names=False)
        assert (row["slide"], row["slide_x"], row["slide_y"]) == ("", "12000", "3400")
        assert (row["slide_size"], row["slide_um_per_pixel"]) == ("800", "0.2527")
        assert (row["slide_core"], row["slide_whole"]) == ("", "no")
        assert row_of(store, names=True)["slide"] == "Müller 17.svs"
    finally:
        store.close()


def test_a_picture_that_stands_for_a_slide_is_reviewed_and_is_no_patch_to_read(store_url):
    store = ReviewStore(store_url)
    try:
        whole = Origin("a.svs", 0, 0, 9000, 0.25, "B3", whole=True)
        store.add_patch(replace(PATCH, origin=whole))
        store.add_patch(replace(PATCH, sha256="b" * 64))
        number = store.derived(patches_by({}))
        with store.reading() as session:
            assert [sha256 for sha256, _ in worklist_queries.unread(session, number)] == ["b" * 64]
            assert worklist_queries.count(session, worklist_queries.View(number)) == 1
            assert derived.check(session) == []
        first = store.save_review(review_of(HER2Score.ONE_PLUS))
        store.save_review(replace(review_of(HER2Score.TWO_PLUS), supersedes=first.id))
        (current,) = store.reviews()
        assert (current.own_score, current.patch.origin) == (HER2Score.TWO_PLUS, whole)
        assert store.verify_chain() == []
        row = row_of(store, names=True)
        assert (row["slide"], row["slide_core"], row["slide_whole"]) == ("a.svs", "B3", "yes")
        assert (row["slide_x"], row["slide_size"], row["own_score"]) == ("0", "9000", "2+")
        (entry,) = json.loads(to_json(store.reviews()))["reviews"]
        assert entry["patch"]["origin"] == {**vars(whole), "slide": None}
    finally:
        store.close()


def test_a_database_of_before_is_opened_and_its_patches_have_no_place(store_url):
    engine = for_writing(open_engine(store_url, 5.0))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # this one comes with today's tables
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        command.upgrade(alembic_config(connection), "0016")
        connection.execute(
            text(
                "INSERT INTO patch (sha256, name, width, height, received_at, warnings) VALUES "
                "(:sha, 'old.png', 224, 224, '2026-03-01T08:30:00.000000+00:00', '[]')"
            ),
            {"sha": "c" * 64},
        )
    engine.dispose()
    store = ReviewStore(store_url)
    try:
        (patch,) = store.patches()
        assert patch.origin is None
        store.add_patch(PATCH)
        assert store.patch(PATCH.sha256) == PATCH
    finally:
        store.close()
