"""What ran the network is kept with a verdict, and shown wherever the verdict is."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from her2core.reviews.chain import VerdictFacts
from her2core.reviews.columns import ExportOptions
from her2core.reviews.errors import ReviewRefusedError
from her2core.reviews.export import to_csv, to_json
from her2core.reviews.store import ReviewStore
from tests.review_samples import SHA, SQUARE, VERDICTS, draft, patch
from tests.whole_worklist import whole_worklist

READ = tuple(replace(v, backend="openvino 2026.4.1 float32") for v in VERDICTS)


@pytest.fixture
def store(tmp_path: Path) -> ReviewStore:
    made = ReviewStore(f"sqlite:///{tmp_path / 'reviews.sqlite3'}")
    made.add_patch(patch())
    return made


def test_it_survives_recording_and_is_exported(store: ReviewStore) -> None:
    review = store.save_review(draft(verdicts=READ))
    assert review.verdicts == READ
    assert store.review(review.id).verdicts == READ
    options = ExportOptions()
    (row,) = csv.DictReader(io.StringIO(to_csv([review], options).decode("utf-8-sig")))
    assert row["cnn_backend"] == row["densenet121_backend"] == "openvino 2026.4.1 float32"
    assert "openvino 2026.4.1 float32" in json.dumps(json.loads(to_json([review], options)))


def test_verdicts_without_one_stay_valid_and_the_chain_does_not_cover_it(
    store: ReviewStore,
) -> None:
    before = store.save_review(draft())
    after = store.save_review(draft(verdicts=READ, reviewer="Dr. Bo"))
    assert [v.backend for v in before.verdicts] == ["", ""]
    assert store.review(before.id).verdicts == VERDICTS, "the same figures by another backend"
    assert after.verdicts == READ
    assert "backend" not in {field.name for field in fields(VerdictFacts)}
    assert store.verify_chain() == []


def test_a_reading_that_differs_only_in_its_last_digits_is_not_recorded_twice(
    store: ReviewStore,
) -> None:
    store.record_verdicts(SHA, SQUARE, VERDICTS)
    store.record_verdicts(SHA, SQUARE, READ)
    (item,) = whole_worklist(store, "Dr. Ada Example")
    assert item.verdicts == VERDICTS


def test_a_backend_is_a_short_text(store: ReviewStore) -> None:
    with pytest.raises(ReviewRefusedError, match="backend"):
        store.save_review(draft(verdicts=(replace(VERDICTS[0], backend="x" * 81),), agrees={}))
