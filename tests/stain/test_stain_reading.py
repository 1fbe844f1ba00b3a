"""The third reader is measured once, kept with what saw it, and covered by the log's hashes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st

from her2core.preprocessing.patches import Patch, Square
from her2core.reviews.chain import GENESIS, EntryFacts, VerdictFacts, entry_hash
from her2core.reviews.database import for_writing, open_engine
from her2core.reviews.migrations import alembic_config
from her2core.reviews.store import ReviewRefusedError, ReviewStore
from her2core.scores import HER2Score
from her2core.serving.stain_service import LARGEST_SIDE, KnownScale, StainReader
from her2core.stain.reading import method_id, pooled_score
from her2core.stain.thresholds import StainThresholds
from tests import hostile
from tests.review_samples import SHA, SQUARE, STAIN, draft, open_store, tamper, url, verdict
from tests.whole_worklist import whole_worklist

LIMITS = StainThresholds()


def a_patch(side: int = 96, key: str = "a") -> Patch:
    rgb = np.resize(hostile.brown_patch(), (side, side, 3))
    return Patch("p.png", key * 64, rgb, Square(0, 0, side))


class TestReading:
    def test_other_thresholds_are_another_method(self):
        other = replace(LIMITS, complete=0.7)
        assert method_id(LIMITS) == method_id(StainThresholds()) != method_id(other)

    @given(st.lists(st.tuples(*[st.integers(0, 40)] * 4), max_size=6))
    def test_pooling_adds_cells_and_needs_enough_of_them(self, counts):
        score, ultralow, pooled = pooled_score(counts, LIMITS)
        assert pooled == tuple(sum(column[i] for column in counts) for i in range(4))
        assert (score is None) == (sum(pooled) < LIMITS.least_cells)
        assert not ultralow or score is HER2Score.ZERO

    def test_crops_that_are_too_small_alone_make_a_core_together(self):
        crop = (8, 0, 0, 3)
        assert pooled_score([crop], LIMITS)[0] is None
        assert pooled_score([crop, crop], LIMITS)[0] is HER2Score.THREE_PLUS


class TestReader:
    def test_a_square_is_measured_once_and_known_afterwards(self):
        reader, one = StainReader(LIMITS), a_patch()
        assert reader.known(one) is None
        reader.start(one)
        reading = reader.reading(one)
        assert reader.known(one) is reading is reader.reading(one)
        assert reader.report(one) is reader.report(one)
        reader.close()

    def test_another_square_is_another_reading(self):
        reader, one = StainReader(LIMITS), a_patch(128)
        part = one.with_square(Square(0, 0, 64))
        assert reader.reading(one) is not reader.reading(part)
        reader.close()

    def test_a_scale_that_is_known_is_not_estimated(self):
        scales: dict[str, KnownScale] = {"a" * 64: (0.31, "given"), "c" * 64: (0.31, "nuclei")}
        reader = StainReader(LIMITS, scales.get)
        known, unknown = a_patch(128, key="a"), a_patch(128, key="b")
        assert reader.report(known).scale_source == "given"
        # of a slide whose own scale was estimated
        assert reader.report(a_patch(128, key="c")).scale_source == "nuclei"
        assert reader.reading(known).um_per_pixel == pytest.approx(0.31)
        assert reader.report(unknown).scale_source != "given"
        reader.close()

    def test_what_is_too_large_or_fails_says_so_instead_of_scoring(self, monkeypatch):
        reader = StainReader(LIMITS)
        side = LARGEST_SIDE + 1
        blank = np.broadcast_to(np.uint8(255), (side, side, 3))
        large = reader.reading(Patch("p.png", "b" * 64, blank, Square(0, 0, side)))
        assert large.score is None
        assert str(LARGEST_SIDE) in str(large.reason)

        def broken(*_: object, **__: object) -> None:
            raise MemoryError

        monkeypatch.setattr("her2core.serving.stain_service.measure_membranes", broken)
        failed = reader.reading(a_patch(key="c"))
        assert (failed.score, failed.reason) == (None, "The stain could not be measured.")
        reader.close()


class TestStore:
    def test_a_review_keeps_the_reading_it_saw(self, tmp_path: Path):
        store = open_store(tmp_path)
        verdicts = (verdict("cnn", 3, novelty=1.25),)
        saved = store.save_review(draft(stain=STAIN, verdicts=verdicts, agrees={"cnn": True}))
        later = replace(STAIN, counts=(30, 10, 0, 0), score=HER2Score.ONE_PLUS, ultralow=False)
        store.record_stain(SHA, SQUARE, later)
        found = store.review(saved.id)
        assert found.stain == STAIN
        assert found.verdicts == verdicts
        assert store.verify_chain() == []

    def test_the_worklist_shows_the_newest_reading_of_the_square_the_models_read(self, tmp_path):
        store = open_store(tmp_path)
        other = Square(0, 0, 100)
        newer = replace(STAIN, method="stain-9")
        store.record_verdicts(SHA, SQUARE, (verdict("cnn"),))
        for square, reading in ((SQUARE, STAIN), (SQUARE, newer), (SQUARE, newer), (other, STAIN)):
            store.record_stain(SHA, square, reading)
        assert whole_worklist(store, "")[0].stain == newer
        store.record_verdicts(SHA, Square(0, 0, 120), (verdict("cnn"),))
        assert whole_worklist(store, "")[0].stain == newer, (
            "a square that was tried changes nothing"
        )
        used = {"cnn": "cnn-new"}
        store.record_verdicts(SHA, Square(0, 0, 120), (verdict("cnn", model_id="cnn-new"),))
        assert whole_worklist(store, "", used)[0].stain is None, "of that square there is none"

    @pytest.mark.parametrize(
        "change",
        [
            {"method": ""},
            {"counts": (1, 2, 3, -1)},
            {"score": None},
            {"reason": "both a score and a reason"},
            {"completeness": float("nan")},
        ],
    )
    def test_a_reading_that_contradicts_itself_is_refused(self, tmp_path, change):
        store = open_store(tmp_path)
        with pytest.raises(ReviewRefusedError):
            store.save_review(draft(stain=replace(STAIN, **change)))
        assert store.reviews() == []

    @pytest.mark.parametrize(
        "edit",
        [
            "UPDATE stain_reading SET score = 3",
            "UPDATE stain_reading SET cells_none = 0",
            "UPDATE verdict SET novelty = 0.5",
            "DELETE FROM review_stain",
        ],
    )
    def test_a_changed_reading_breaks_the_hash_of_its_entry(self, tmp_path, edit):
        store = open_store(tmp_path)
        store.save_review(draft(stain=STAIN, verdicts=(verdict("cnn", novelty=0.2),), agrees={}))
        store.close()
        tamper(tmp_path, edit)
        (sentence,) = ReviewStore(url(tmp_path)).verify_chain()
        assert sentence.startswith("Entry 1 was changed")

    def test_readings_are_append_only(self, tmp_path):
        store = open_store(tmp_path)
        store.save_review(draft(stain=STAIN))
        with closing(sqlite3.connect(tmp_path / "home" / "reviews.sqlite3")) as raw:
            for edit in ("UPDATE stain_reading SET score = 3", "DELETE FROM review_stain"):
                with pytest.raises(sqlite3.IntegrityError, match="never changed or deleted"):
                    raw.execute(edit)

    def test_entries_recorded_before_there_were_readings_keep_their_hashes(self, tmp_path):
        _old_log(tmp_path)
        store = ReviewStore(url(tmp_path))
        (old,) = store.reviews()
        assert (old.stain, old.verdicts[0].novelty) == (None, None)
        assert store.verify_chain() == []
        store.save_review(draft(reviewer="Bo", stain=STAIN))
        assert store.verify_chain() == []
        assert store.review(2).previous_hash == old.entry_hash


def _old_log(folder: Path) -> None:
    """A database of the first schema with one entry, hashed as the first version did."""
    engine = for_writing(open_engine(url(folder), 5))
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
    engine.dispose()
    probabilities = (0.1, 0.1, 0.1, 0.7)
    moment = "2026-03-01T08:30:00.000000+00:00"
    facts = EntryFacts(
        patch_sha256=SHA,
        square=(50, 0, 200),
        reviewer="Ada",
        own_score=HER2Score.THREE_PLUS,
        confidence="high",
        comment="ring",
        seconds=12.5,
        blind=False,
        supersedes=None,
        recorded_at=moment,
        verdicts=(VerdictFacts("cnn", "cnn-1", probabilities, True, True),),
    )
    entry = entry_hash(facts, GENESIS)
    with closing(sqlite3.connect(folder / "home" / "reviews.sqlite3")) as raw:
        raw.execute("INSERT INTO reviewer VALUES (1, 'Ada')")
        raw.execute("INSERT INTO patch VALUES (1, ?, 'p.png', 300, 200, ?, '[]')", (SHA, moment))
        raw.execute(
            "INSERT INTO verdict VALUES (1, 1, 50, 0, 200, 'cnn', 'cnn-1', 1, ?, ?, ?, ?, 1)",
            probabilities,
        )
        raw.execute(
            "INSERT INTO review VALUES (1, NULL, 1, 50, 0, 200, 1, 3, 'high', 'ring', 12.5, 0, "
            "NULL, ?, ?, ?)",
            (moment, GENESIS, entry),
        )
        raw.execute("INSERT INTO review_verdict VALUES (1, 1, 1)")
        raw.execute("UPDATE log_head SET last_id = 1, last_hash = ?", (entry,))
        raw.commit()
