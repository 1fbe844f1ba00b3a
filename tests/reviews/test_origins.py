"""Patches taken from a slide know where, in the store, in exports and over a change of schema."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

from alembic import command
from sqlalchemy import text

from her2core.preprocessing.patches import Square
from her2core.reviews.columns import ExportOptions
from her2core.reviews.database import for_writing, open_engine
from her2core.reviews.export import to_csv
from her2core.reviews.migrations import alembic_config
from her2core.reviews.records import Origin, PatchRecord, ReviewDraft
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score

ORIGIN = Origin("Müller 17.svs", 12_000, 3_400, 800, 0.2527)
PATCH = PatchRecord("a" * 64, "x.png", 800, 800, datetime(2026, 3, 1, tzinfo=UTC), (), ORIGIN)


def row_of(store: ReviewStore, names: bool) -> dict[str, str]:
    data = to_csv(store.reviews(), ExportOptions(include_names=names))
    return next(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_the_place_is_kept_and_exported_and_the_slide_is_named_when_asked(store_url):
    store = ReviewStore(store_url)
    try:
        store.add_patch(PATCH)
        store.add_patch(replace(PATCH, sha256="b" * 64, origin=None))
        assert [patch.origin for patch in store.patches()] == [ORIGIN, None]
        store.save_review(
            ReviewDraft(
                patch_sha256=PATCH.sha256,
                square=Square(0, 0, 800),
                reviewer="Dr. Ada",
                verdicts=(),
                agrees={},
                own_score=HER2Score.TWO_PLUS,
                confidence="high",
            )
        )
        row = row_of(store, names=False)
        assert (row["slide"], row["slide_x"], row["slide_y"]) == ("", "12000", "3400")
        assert (row["slide_size"], row["slide_um_per_pixel"]) == ("800", "0.2527")
        assert row_of(store, names=True)["slide"] == "Müller 17.svs"
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
