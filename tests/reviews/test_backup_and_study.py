"""What was reviewed can be backed up, restored, taken to another installation, and forgotten."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from her2core.models.verdict import Verdict
from her2core.preprocessing.image_store import ImageStore
from her2core.preprocessing.patches import Patch, Square, decode
from her2core.reviews.__main__ import main
from her2core.reviews.backup import backup
from her2core.reviews.chain import GENESIS, ChainHead, EntryFacts, entry_hash
from her2core.reviews.records import ReviewFilter
from her2core.reviews.retention import forget_images
from her2core.reviews.schema import Base
from her2core.reviews.store import ReviewStore, StoreError
from her2core.reviews.study import Study, StudyEntry, StudyError, StudyReading
from her2core.reviews.study_archive import write_study
from her2core.reviews.study_transfer import export_study, import_study
from her2core.scores import HER2Score
from her2core.serving.intake import take_in
from her2core.settings import UploadLimits
from her2core.stain.reading import StainReading
from tests import hostile
from tests.postgresql_server import programs
from tests.review_samples import MORNING, VERDICTS, draft, open_store, patch, tamper, url, verdict
from tests.whole_worklist import whole_worklist

Place = tuple[ReviewStore, ImageStore]

STAIN = StainReading("stain-2-x", (5, 4, 30, 2), HER2Score.TWO_PLUS, None, False, 0.9, 0.4, 0.25)
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
EVERYTHING = ReviewFilter(include_superseded=True)
LIMITS = UploadLimits()


def brown(seed: int) -> np.ndarray:
    """Pixels of its own for each seed."""
    pixels = hostile.brown_patch()
    pixels[:8, :8] = seed
    return pixels


def images_of(images: ImageStore) -> list[Path]:
    """The kept files, by name."""
    return sorted(images._root.glob("*.png"))


def taken_in(store: ReviewStore, images: ImageStore, seed: int) -> Patch:
    """A real picture, kept and recorded."""
    kept = decode(hostile.as_png(brown(seed)), f"core {seed}.png", LIMITS)
    images.put(kept)
    store.add_patch(patch(kept.sha256, name=kept.name, width=kept.width, height=kept.height))
    return kept


def fill(store: ReviewStore, images: ImageStore) -> None:
    """Two pictures, readings of two models, four entries: a correction and a blind one too."""
    first, second = taken_in(store, images, 1), taken_in(store, images, 2)
    square = Square(0, 0, 32)
    store.record_verdicts(first.sha256, square, VERDICTS)
    unlike = replace(VERDICTS[0], novelty=1.25, backend="numpy 2 float32")
    store.record_verdicts(first.sha256, square, [unlike])
    store.record_stain(second.sha256, square, STAIN)
    store.record_verdicts(second.sha256, square, (verdict("cnn", 1),))
    about = {"patch_sha256": first.sha256, "square": square}
    store.save_review(draft(**about, comment="Ä\u2028 =1+1"), token="one")
    store.save_review(draft(**about, supersedes=1, own_score=HER2Score.TWO_PLUS), token="two")
    store.save_review(draft(**about, reviewer="Dr. Bo", blind=True, agrees={}))
    store.save_review(
        draft(
            patch_sha256=second.sha256,
            square=square,
            verdicts=(unlike,),
            agrees={},
            seconds=0.1,
            stain=replace(STAIN, score=None, reason="Too few cells.", completeness=None),
        )
    )


@pytest.fixture
def here(store_url, tmp_path) -> Iterator[Place]:
    """An installation with a few reviews: (store, images)."""
    store, images = ReviewStore(store_url), ImageStore(tmp_path / "patches")
    fill(store, images)
    yield store, images
    store.close()


@pytest.fixture
def there(tmp_path) -> Iterator[Place]:
    """Another, empty installation on SQLite."""
    store = ReviewStore(url(tmp_path / "there"))
    yield store, ImageStore(tmp_path / "there" / "patches")
    store.close()


class TestBackup:
    def test_a_backup_made_while_reviews_go_on_is_whole_and_can_be_used(self, tmp_path):
        store = open_store(tmp_path)
        store.save_review(draft())
        target, stop = tmp_path / "backup.sqlite3", threading.Event()

        def go_on() -> None:
            while not stop.is_set():
                store.save_review(draft())

        writer = threading.Thread(target=go_on)
        writer.start()
        try:
            backup(url(tmp_path), target)
        finally:
            stop.set()
            writer.join()
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        assert [p.name for p in tmp_path.glob("*backup*")] == ["backup.sqlite3"], "one file"
        with closing(ReviewStore(f"sqlite:///{target}")) as restored:
            kept = restored.reviews(EVERYTHING)
            assert restored.verify_chain() == []
            assert kept == store.reviews(EVERYTHING)[-len(kept) :]
            assert restored.save_review(draft()).id == len(kept) + 1
        store.close()

    def test_it_overwrites_nothing_and_tells_what_is_wrong(self, tmp_path, capsys):
        open_store(tmp_path).close()
        other = tmp_path / "precious"
        other.write_text("mine")
        for target, database, sentence in [
            (other, url(tmp_path), "there already"),
            (tmp_path / "no" / "folder", url(tmp_path), "could not be written"),
            (tmp_path / "b", url(tmp_path / "nothing"), "no review database"),
            (tmp_path / "b", "postgresql://u:secret@h/d", "pg_dump --format=custom"),
        ]:
            assert main(["backup", str(target), "--database", database]) == 2
            said = capsys.readouterr().err
            assert sentence in said
            assert "secret" not in said
        assert other.read_text() == "mine"
        assert not (tmp_path / "b").exists()

    def test_a_damaged_database_is_not_backed_up_as_if_it_were_sound(self, tmp_path):
        store = open_store(tmp_path)
        for number in range(30):
            store.save_review(draft(comment=f"{number} " * 500))
        store.close()
        file = tmp_path / "home" / "reviews.sqlite3"
        data = bytearray(file.read_bytes())
        for page in range(8, len(data) // 4096, 3):
            data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
        file.write_bytes(data)
        with pytest.raises(StoreError, match="damaged"):
            backup(url(tmp_path), tmp_path / "b")
        assert not list(tmp_path.glob("*b*.part*"))
        assert not (tmp_path / "b").exists()

    def test_what_pg_dump_wrote_is_restored_whole(self, postgresql, postgresql_url, tmp_path):
        with closing(open_store(postgresql_url)) as store:
            store.save_review(draft())
            log = store.reviews()
            dump, again = tmp_path / "reviews.dump", postgresql.new_database()
            _program("pg_dump", "--format=custom", f"--file={dump}", postgresql_url)
            _program("pg_restore", f"--dbname={again}", str(dump))
            with closing(ReviewStore(again)) as restored:
                assert restored.reviews() == log
                assert restored.verify_chain() == []
                assert restored.save_review(draft()).id == 2


class TestStudy:
    def test_everything_comes_back_the_same_elsewhere(self, here: Place, there: Place, tmp_path):
        store, images = here
        done = export_study(store, images, tmp_path / "study.zip")
        assert (done.patches, done.entries, done.missing_images) == (2, 4, 0)
        taken = import_study(*there, tmp_path / "study.zip", LIMITS)
        assert (taken.patches, taken.entries, taken.images) == (2, 4, 2)
        copy, pictures = there
        assert copy.study() == store.study(), "facts, hashes, tokens, order"
        assert copy.verify_chain() == []
        assert copy.reviews(EVERYTHING) == store.reviews(EVERYTHING)
        assert whole_worklist(copy, "Dr. Bo") == whole_worklist(store, "Dr. Bo")
        for known in store.patches():
            before = images.load(known.sha256, known.name)
            after = pictures.load(known.sha256, known.name)
            assert (before.rgb == after.rgb).all()

    def test_again_changes_nothing_and_later_brings_only_what_is_new(
        self, here: Place, there: Place, tmp_path
    ):
        store, images = here
        export_study(store, images, tmp_path / "1.zip")
        import_study(*there, tmp_path / "1.zip", LIMITS)
        again = import_study(*there, tmp_path / "1.zip", LIMITS)
        assert (again.patches, again.entries, again.images) == (0, 0, 0)
        taken_in(store, images, 3)
        store.save_review(store_draft(store))
        export_study(store, images, tmp_path / "2.zip")
        later = import_study(*there, tmp_path / "2.zip", LIMITS)
        assert (later.patches, later.entries, later.images) == (1, 1, 1)
        assert there[0].study() == store.study()
        older = import_study(*there, tmp_path / "1.zip", LIMITS)
        assert (older.patches, older.entries) == (0, 0)
        assert there[0].save_review(store_draft(store)).id == 6, "the log goes on"

    def test_logs_that_grew_apart_are_told_and_nothing_is_taken(
        self, here: Place, there: Place, tmp_path
    ):
        store, images = here
        export_study(store, images, tmp_path / "1.zip")
        import_study(*there, tmp_path / "1.zip", LIMITS)
        store.save_review(store_draft(store, reviewer="Dr. Here"))
        taken_in(store, images, 9)
        there[0].save_review(store_draft(store, reviewer="Dr. There"))
        export_study(store, images, tmp_path / "2.zip")
        before, files = there[0].study(), list(there[1].kept())
        with pytest.raises(StudyError) as refusal:
            import_study(*there, tmp_path / "2.zip", LIMITS)
        said = str(refusal.value)
        assert "Entry 5" in said
        assert "Dr. There" in said
        assert "Dr. Here" in said
        assert "first 4 entries" in said
        assert said.endswith("Nothing was imported.")
        assert there[0].study() == before
        assert list(there[1].kept()) == files

    def test_a_forgotten_image_is_said_and_the_rest_goes(self, here: Place, there: Place, tmp_path):
        store, images = here
        gone = store.patches()[0].sha256
        images.remove(gone)
        assert export_study(store, images, tmp_path / "s.zip").missing_images == 1
        assert import_study(*there, tmp_path / "s.zip", LIMITS).images == 1
        assert there[0].study() == store.study()
        assert not there[1].has(gone)

    def test_where_no_images_are_kept_the_records_come_alone(
        self, here: Place, there: Place, tmp_path
    ):
        export_study(*here, tmp_path / "s.zip")
        assert import_study(there[0], None, tmp_path / "s.zip", LIMITS).images == 0
        assert there[0].study() == here[0].study()
        assert list(there[1].kept()) == []

    def test_a_log_that_is_not_intact_is_not_taken_over(self, there: Place, tmp_path):
        store, images = ReviewStore(url(tmp_path)), ImageStore(tmp_path / "patches")
        fill(store, images)
        tamper(tmp_path, "UPDATE review SET own_score = 0 WHERE id = 3")
        export_study(store, images, tmp_path / "s.zip")
        with pytest.raises(StudyError, match=r"Entry 3 was changed(.|\n)*Nothing was imported"):
            import_study(*there, tmp_path / "s.zip", LIMITS)
        assert there[0].patches() == []

    def test_when_the_records_cannot_be_written_the_images_go_again(
        self, here: Place, there: Place, tmp_path
    ):
        export_study(*here, tmp_path / "s.zip")
        store, images = there
        with closing(sqlite3.connect(tmp_path / "there" / "home" / "reviews.sqlite3")) as raw:
            raw.execute(
                "CREATE TRIGGER full BEFORE INSERT ON review_verdict"
                " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
        with pytest.raises(StoreError, match="full"):
            import_study(store, images, tmp_path / "s.zip", LIMITS)
        assert list(images.kept()) == []
        assert store.patches() == []

    @pytest.mark.parametrize(
        ("moment", "recorded"),
        [
            ("while pictures are kept", True),
            ("before the records", True),
            ("before the records", False),
        ],
    )
    def test_what_was_uploaded_meanwhile_outlives_a_failed_import(
        self, here: Place, there: Place, tmp_path, monkeypatch, moment, recorded
    ):
        export_study(*here, tmp_path / "s.zip")
        store, images = there
        (upload,) = (p for p in here[0].patches() if p.name == "core 1.png")
        picture = here[1].load(upload.sha256, upload.name)

        def uploaded() -> None:
            time.sleep(0.02)  # file times are that coarse
            ImageStore.put(images, picture)
            if recorded:
                store.add_patch(upload)

        def put(patch: Patch) -> None:
            if patch.sha256 == upload.sha256 and moment == "while pictures are kept":
                uploaded()
            ImageStore.put(images, patch)

        def adopt(_: Study) -> None:
            if moment == "before the records":
                uploaded()
            raise StoreError("The disk is full.")

        monkeypatch.setattr(images, "put", put)
        monkeypatch.setattr(store, "adopt", adopt)
        with pytest.raises(StoreError, match="full"):
            import_study(store, images, tmp_path / "s.zip", LIMITS)
        assert [sha256 for sha256, _, _ in images.kept()] == [upload.sha256]

    def test_where_the_store_cannot_be_asked_no_image_is_removed(
        self, here: Place, there: Place, tmp_path, monkeypatch
    ):
        """The records may have been written although the answer got lost."""
        export_study(*here, tmp_path / "s.zip")
        store, images = there

        def away(*_: object) -> None:
            raise StoreError("The review database does not answer.")

        monkeypatch.setattr(store, "adopt", away)
        monkeypatch.setattr(store, "patches", away)
        with pytest.raises(StoreError, match="does not answer"):
            import_study(store, images, tmp_path / "s.zip", LIMITS)
        assert len(list(images.kept())) == 2

    def test_the_commands_do_the_same(self, tmp_path, monkeypatch, capsys):
        monkeypatch.delenv("DATABASE_URL", raising=False)
        monkeypatch.setenv("HER2_HOME", str(tmp_path / "a"))
        store = ReviewStore(f"sqlite:///{tmp_path / 'a' / 'her2review.sqlite3'}")
        fill(store, ImageStore(tmp_path / "a" / "patches"))
        head = store.head()
        store.close()
        target = str(tmp_path / "study.zip")
        assert main(["export-study", target]) == 0
        assert main(["export-study", target]) == 1
        assert "there already" in capsys.readouterr().err
        monkeypatch.setenv("HER2_HOME", str(tmp_path / "b"))
        assert main(["import-study", target]) == 0
        assert "4 log entries, 2 patches and 2 images" in capsys.readouterr().out
        assert main(["verify", "--contains", head.last_hash]) == 0
        assert main(["import-study", str(tmp_path / "nothing.zip")]) == 1
        assert "could not be opened" in capsys.readouterr().err


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A sound study as name -> bytes."""
    folder = tmp_path_factory.mktemp("sound")
    store, images = ReviewStore(url(folder)), ImageStore(folder / "patches")
    fill(store, images)
    export_study(store, images, folder / "s.zip")
    store.close()
    with zipfile.ZipFile(folder / "s.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_study_written_before_patches_had_cases_can_be_imported(sound, there: Place, tmp_path):
    def before(line: bytes) -> bytes:
        patch = json.loads(line)
        del patch["case"], patch["label"], patch["origin"]
        return json.dumps(patch).encode() + b"\n"

    lines = sound["patches.jsonl"].splitlines()
    earlier = signed({**sound, "patches.jsonl": b"".join(map(before, lines))})
    (tmp_path / "earlier.zip").write_bytes(zipped(earlier))
    store, images = there
    assert import_study(store, images, tmp_path / "earlier.zip", LIMITS).patches == len(lines)
    assert {patch.case for patch in store.patches()} == {""}


def test_every_fact_of_a_verdict_and_of_an_entry_is_carried():
    """A field which another change adds must not be lost on the way unnoticed."""
    assert {field.name for field in fields(StudyReading)} == {"patch_sha256", "square", "verdict"}
    assert {column.name for column in Base.metadata.tables["verdict"].columns} == (
        {"id", "patch_id", "square_x", "square_y", "square_size", "reading"}
        | {"p_0", "p_1plus", "p_2plus", "p_3plus"}
        | ({field.name for field in fields(Verdict)} - {"probabilities"})
    )
    assert {column.name for column in Base.metadata.tables["review"].columns} == (
        {"id", "token", "patch_id", "square_x", "square_y", "square_size", "reviewer_id"}
        | {"previous_hash", "entry_hash"}
        | ({field.name for field in fields(EntryFacts)} - {"patch_sha256", "square", "reviewer"})
        - {"verdicts", "stain"}
    )


class TestHostileStudy:
    @pytest.fixture
    def refused(self, there: Place, tmp_path):
        """Imports bytes, expects a refusal that left nothing behind; returns its sentence."""

        def check(data: bytes) -> str:
            (tmp_path / "bad.zip").write_bytes(data)
            outside = {path for path in tmp_path.rglob("*") if "home" not in path.parts}
            with pytest.raises(StudyError) as refusal:
                import_study(*there, tmp_path / "bad.zip", LIMITS)
            assert there[0].patches() == []
            assert list(there[1].kept()) == []
            assert {p for p in tmp_path.rglob("*") if "home" not in p.parts} == outside
            said = str(refusal.value)
            assert "Nothing was imported." in said
            assert "Traceback" not in said
            return said

        return check

    @pytest.mark.parametrize(
        "name", ["../evil.png", "/etc/evil", "images/../../x.png", "images/x.png", "patches.jsonl/"]
    )
    def test_a_name_that_no_study_has(self, sound, refused, name):
        assert "no study has" in refused(zipped({**sound, name: b"x"}))

    def test_no_zip_and_a_cut_one(self, sound, refused):
        whole = zipped(sound)
        assert "no ZIP file" in refused(b"not a zip")
        assert "no ZIP file" in refused(b"")
        assert "no ZIP file" in refused(whole[: len(whole) // 2])

    def test_a_missing_an_added_and_a_changed_file(self, sound, refused):
        image = next(name for name in sound if name.startswith("images/"))
        without = {name: data for name, data in sound.items() if name != image}
        assert "table of contents" in refused(zipped(without))
        assert "table of contents" in refused(zipped({**sound, f"images/{'f' * 64}.png": b"x"}))
        assert "not the one" in refused(zipped({**sound, image: sound[image][:-1]}))
        assert "missing" in refused(zipped({k: v for k, v in sound.items() if k != "study.json"}))

    def test_a_bomb_is_not_unpacked(self, sound, refused, there: Place, tmp_path):
        manifest = json.loads(sound["study.json"])
        bomb = b"0" * (65 * 2**20)
        assert "larger than allowed" in refused(zipped({**sound, "study.json": bomb}))
        assert len(zipped({"study.json": bomb})) < 200_000
        image = next(file for file in manifest["files"] if file["path"].startswith("images/"))
        (tmp_path / "s.zip").write_bytes(zipped(sound))
        small = replace(LIMITS, max_pixels=image["bytes"] // 8)
        with pytest.raises(StudyError):
            import_study(*there, tmp_path / "s.zip", small)

    def test_a_file_that_is_larger_than_it_says(self, sound, refused):
        """The size in the table of contents is a claim like any other."""
        data = bytearray(zipped(sound))
        name = b"entries.jsonl"
        at = data.rindex(name) - 46  # its header in the central directory
        assert data[at : at + 4] == b"PK\x01\x02"
        data[at + 24 : at + 28] = (10).to_bytes(4, "little")
        refused(bytes(data))

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("format", "Another"),
            ("format_version", 99),
            ("last_id", 3),
            ("last_hash", "0" * 64),
            ("files", []),
            ("files", None),
            ("unknown", 1),
        ],
    )
    def test_a_table_of_contents_that_is_not_right(self, sound, refused, field, value):
        manifest = {**json.loads(sound["study.json"]), field: value}
        refused(zipped({**sound, "study.json": json.dumps(manifest).encode()}))

    @pytest.mark.parametrize(
        ("table", "field", "value"),
        [
            ("patches", "sha256", "../../etc/passwd"),
            ("patches", "name", "a\0b"),
            ("patches", "name", "<b>\u202e"),
            ("patches", "width", 10**30),
            ("patches", "width", "wide"),
            ("patches", "received_at", "yesterday"),
            ("readings", "verdict", {}),
            ("readings", "square", [0, 0, 10**6]),
            ("readings", "patch_sha256", "f" * 64),
            ("stains", "square", [0, 0, 10**6]),
            ("stains", "facts", None),
            ("entries", "entry_hash", "f" * 64),
            ("entries", "id", 7),
            ("entries", "token", "x" * 65),
            ("entries", "facts", {}),
            ("entries", "readings", [2, 1]),
            ("entries", "readings", [0, 99]),
            ("entries", "readings", []),
        ],
    )
    def test_a_record_that_is_not_right_though_its_sum_is(
        self, sound, refused, table, field, value
    ):
        name = f"{table}.jsonl"
        first, *rest = sound[name].splitlines()
        line = json.dumps({**json.loads(first), field: value}).encode()
        refused(zipped(signed({**sound, name: b"\n".join([line, *rest]) + b"\n"})))

    def test_an_image_that_is_none_or_of_another_size(self, sound, refused):
        image = next(name for name in sound if name.startswith("images/"))
        other = hostile.as_png(hostile.brown_patch()[:40, :40])
        assert "does not have the size" in refused(zipped(signed({**sound, image: other})))
        refused(zipped(signed({**sound, image: b"\x89PNG\r\n\x1a\n junk"})))

    @settings(
        max_examples=20,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_any_changed_byte_is_refused_or_changes_nothing(
        self, sound, there: Place, tmp_path, data
    ):
        whole = bytearray(zipped(sound))
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] ^= data.draw(st.integers(1, 255))
        (tmp_path / "bad.zip").write_bytes(whole)
        store, _ = there
        try:
            import_study(*there, tmp_path / "bad.zip", LIMITS)
        except StudyError:
            assert store.verify_chain() == []
        else:
            assert store.verify_chain() == []
            assert len(store.reviews(EVERYTHING)) == 4


def rechained(study: Study, **changes: Any) -> Study:
    """A study whose first entry says something else, with hashes that fit."""
    first, *rest = study.entries
    entries: list[StudyEntry] = []
    before = GENESIS
    for entry in (replace(first, facts=replace(first.facts, **changes)), *rest):
        after = entry_hash(entry.facts, before)
        entries.append(replace(entry, previous_hash=before, entry_hash=after))
        before = after
    return replace(study, entries=tuple(entries), head=ChainHead(entries[-1].id, before))


def first_patch(study: Study, **changes: Any) -> Study:
    first, *rest = study.patches
    return replace(study, patches=(replace(first, **changes), *rest))


def with_stain(study: Study, **changes: Any) -> Study:
    facts = replace(study.stains[0].facts, **changes)
    return replace(study, stains=(replace(study.stains[0], facts=facts), *study.stains[1:]))


def first_verdict(study: Study, **changes: Any) -> Study:
    """The first entry rests on a reading of its own, which says something else."""
    (first, *rest), (one, *others) = study.entries, study.entries[0].facts.verdicts
    known = study.readings[first.readings[0]]
    told = replace(known, verdict=replace(known.verdict, **changes))
    linked = replace(first, readings=(len(study.readings), *first.readings[1:]))
    study = replace(study, readings=(*study.readings, told), entries=(linked, *rest))
    return rechained(study, verdicts=(replace(one, **changes), *others))


class TestWhatNoDatabaseKeeps:
    """A sound chain over facts that a database would give back otherwise, or not take at all."""

    @pytest.fixture
    def study(self, tmp_path) -> Study:
        with closing(ReviewStore(url(tmp_path / "elsewhere"))) as store:
            fill(store, ImageStore(tmp_path / "elsewhere" / "patches"))
            return store.study()

    @pytest.mark.parametrize(
        "spoilt",
        [
            lambda study: rechained(study, recorded_at="2026-01-01T10:00:00+01:00"),
            lambda study: rechained(study, recorded_at="2026-01-01T10:00:00.000000"),
            lambda study: rechained(study, recorded_at="0001-01-01T00:00:00.000000+23:59"),
            lambda study: rechained(study, seconds=-0.0),
            lambda study: first_verdict(study, probabilities=(-0.0, 0.1, 0.2, 0.7)),
            lambda study: first_verdict(study, novelty=-0.0),
            lambda study: first_patch(study, width=2**70),
            lambda study: first_patch(study, height=2**31),
            lambda study: with_stain(study, counts=(2**63, 0, 0, 0)),
            lambda study: with_stain(study, intensity=-0.0),
        ],
    )
    def test_is_refused_and_breaks_no_log(self, study, spoilt, store_url, tmp_path):
        bad = spoilt(study)
        with (tmp_path / "bad.zip").open("wb") as file:
            write_study(file, bad, lambda _: None)
        with closing(ReviewStore(store_url)) as store:
            for attempt in (
                lambda: store.adopt(bad),
                lambda: import_study(store, None, tmp_path / "bad.zip", LIMITS),
            ):
                with pytest.raises(StudyError, match="Nothing was imported"):
                    attempt()
            assert store.patches() == []
            assert store.verify_chain() == []

    @pytest.mark.parametrize(
        "text", ["2026-01-01T10:00:00+01:00", "0001-01-01T00:00:00.000000+23:59"]
    )
    def test_a_patch_that_came_at_a_time_spelled_otherwise(
        self, sound, there: Place, tmp_path, text
    ):
        first, *rest = sound["patches.jsonl"].splitlines()
        line = json.dumps({**json.loads(first), "received_at": text}).encode()
        lines = b"\n".join([line, *rest]) + b"\n"
        (tmp_path / "bad.zip").write_bytes(zipped(signed({**sound, "patches.jsonl": lines})))
        with pytest.raises(StudyError, match="Nothing was imported"):
            import_study(*there, tmp_path / "bad.zip", LIMITS)

    def test_what_slips_through_is_read_back_before_anything_is_committed(
        self, study, store_url, monkeypatch
    ):
        monkeypatch.setattr("her2core.reviews.store.check_study", lambda _: None)
        with closing(ReviewStore(store_url)) as store:
            with pytest.raises(StudyError, match=r"not be intact here:\nEntry 1 was changed"):
                store.adopt(rechained(study, recorded_at="2026-01-01T10:00:00+01:00"))
            assert store.patches() == []
            assert store.head() == ChainHead(0, GENESIS)
            assert store.adopt(study).entries == 4
            assert store.verify_chain() == []


class TestRetention:
    def test_old_images_go_and_every_review_stays(self, here: Place, tmp_path):
        store, images = here
        before = store.study()
        now = datetime.now(UTC)
        assert forget_images(store, images, 1, now).images == 0, "stored just now"
        done = forget_images(store, images, 30, now + timedelta(days=31))
        assert (done.images, done.left) == (2, 0)
        assert done.bytes > 0
        assert store.study() == before
        assert store.verify_chain() == []
        taken_in(store, images, 1)
        assert images.has(before.patches[0].sha256), "the same upload brings it back"

    def test_an_image_counts_from_when_it_came_last(self, here: Place):
        store, images = here
        assert all(known.received_at == MORNING for known in store.patches())
        assert forget_images(store, images, 5).left == 2

    def test_an_image_uploaded_again_counts_from_then_on(self, here: Place):
        store, images = here
        (known, other), later = store.patches(), datetime.now(UTC) + timedelta(days=20)
        long_ago = (later - timedelta(days=40)).timestamp()
        for path in images_of(images):
            os.utime(path, (long_ago, long_ago))
        data = hostile.as_png(brown(1))
        assert take_in(data, known.name, images, store, LIMITS).outcome == "known"
        done = forget_images(store, images, 30, later)
        assert (done.images, done.left) == (1, 1)
        assert images.has(known.sha256)
        assert not images.has(other.sha256)

    def test_an_image_uploaded_again_while_others_are_deleted_stays(self, here: Place, monkeypatch):
        store, images = here
        first, second = images_of(images)
        for path in (first, second):
            os.utime(path, (1e9, 1e9))
        store_patches = store.patches
        monkeypatch.setattr(
            store, "patches", lambda: [replace(p, received_at=LONG_AGO) for p in store_patches()]
        )
        remove = images.remove

        def slow(sha256: str, **options: datetime) -> bool:
            os.utime(second)  # what an upload of it does
            return remove(sha256, **options)

        monkeypatch.setattr(images, "remove", slow)
        done = forget_images(store, images, 30)
        assert (done.images, done.left) == (1, 1)
        assert [path.exists() for path in (first, second)] == [False, True]

    def test_the_command(self, tmp_path, monkeypatch, capsys):
        monkeypatch.delenv("DATABASE_URL", raising=False)
        monkeypatch.setenv("HER2_HOME", str(tmp_path))
        store = ReviewStore(f"sqlite:///{tmp_path / 'her2review.sqlite3'}")
        fill(store, ImageStore(tmp_path / "patches"))
        store.close()
        assert main(["forget-images", "--older-than", "0"]) == 0
        said = capsys.readouterr().out
        assert "Reviews are untouched" in said
        assert main(["forget-images", "--older-than", "-1"]) == 2


def store_draft(store, **other):
    """A further review of the first patch."""
    known = store.patches()[0]
    return draft(patch_sha256=known.sha256, square=Square(0, 0, 32), **other)


def zipped(files: dict[str, bytes]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return output.getvalue()


def signed(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same with a table of contents that fits."""
    manifest = json.loads(files["study.json"])
    for listed in manifest["files"]:
        data = files[listed["path"]]
        listed["bytes"], listed["sha256"] = len(data), hashlib.sha256(data).hexdigest()
    return {**files, "study.json": json.dumps(manifest).encode()}


def _program(name: str, *arguments: str) -> None:
    folder = programs()
    assert folder is not None
    found = shutil.which(name, path=str(folder))
    assert found
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
