"""What the background queue reads: what no reader in use has read, and nothing for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from her2core.models.verdict import Verdict
from her2core.preprocessing.image_store import ImageStore
from her2core.preprocessing.patches import Patch
from her2core.reviews.store import ReviewStore, StoreError
from her2core.serving import reading_queue
from her2core.serving.load_state import LoadState, ModelState
from her2core.serving.reading_queue import ReadingQueue
from tests.review_samples import patch as record
from tests.review_samples import url
from tests.tiny_bundles import a_patch
from tests.whole_worklist import whole_worklist


@dataclass
class FewWords:
    """Stands for a workbench: a CNN of this name that says 0 to all, and what it was shown."""

    model_id: str = "cnn-first"
    shown: list[str] = field(default_factory=list)

    def state(self) -> LoadState:
        ready = ModelState("cnn", "ready", "CNN is ready.", model_id=self.model_id)
        return LoadState("ready", (ready,))

    def wait(self) -> LoadState:
        return self.state()

    def verdicts(self, patch: Patch) -> tuple[Verdict, ...]:
        self.shown.append(patch.sha256)
        return (Verdict("cnn", self.model_id, (1.0, 0.0, 0.0, 0.0), True),)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReviewStore]:
    opened = ReviewStore(url(tmp_path))
    yield opened
    opened.close()


def test_patches_of_an_earlier_model_are_read_again_and_no_others(tmp_path, store):
    images, models = ImageStore(tmp_path / "patches"), FewWords()
    patches = [a_patch(seed) for seed in (1, 2)]
    for patch in patches:
        images.put(patch)
        store.add_patch(record(patch.sha256, width=patch.width, height=patch.height))
    gone = record("c" * 64)
    store.add_patch(gone)  # its image was deleted after its time
    queue = ReadingQueue(models, images, store)  # type: ignore[arg-type]

    def read() -> list[str]:
        models.shown.clear()
        queue.refill()
        assert queue.wait(60)
        return models.shown

    keys = [patch.sha256 for patch in patches]
    assert read() == keys
    assert read() == []
    models.model_id = "cnn-second"
    assert read() == keys
    read_now = whole_worklist(store, "", {"cnn": "cnn-second"})
    assert {verdict.model_id for item in read_now for verdict in item.verdicts} == {"cnn-second"}
    models.model_id = "cnn-first"
    assert read() == [], "what it said before is known"


def test_readings_wait_for_a_database_however_long_it_is_away(tmp_path, store, monkeypatch):
    monkeypatch.setattr(reading_queue, "_AWAY_SECONDS", 0.0)
    images, models = ImageStore(tmp_path / "patches"), FewWords()
    for seed in (1, 2):
        images.put(a_patch(seed))
        store.add_patch(record(a_patch(seed).sha256, width=224, height=224))
    tries: list[str] = []
    record_stain = store.record_stain

    def away(sha256: str, *rest: object) -> None:
        tries.append(sha256)
        # back after a while, but one patch stays refused for longer than the other
        if len(tries) < 300 or (sha256 == a_patch(1).sha256 and len(tries) < 310):
            raise StoreError("The review database does not answer.")
        record_stain(sha256, *rest)

    monkeypatch.setattr(store, "record_stain", away)
    queue = ReadingQueue(models, images, store)  # type: ignore[arg-type]
    for seed in (1, 2):
        queue.add(a_patch(seed).sha256, "p.png")
    assert queue.wait(60)
    assert len(tries) >= 310
    assert tries[:3] == [a_patch(1).sha256, a_patch(2).sha256, a_patch(1).sha256]
    assert all(item.verdicts and item.stain for item in whole_worklist(store, ""))


def test_a_patch_that_was_being_read_when_the_model_changed_is_read_by_the_new_one(tmp_path, store):
    images, models = ImageStore(tmp_path / "patches"), FewWords()
    images.put(a_patch(1))
    store.add_patch(record(a_patch(1).sha256, width=224, height=224))
    first = models.verdicts

    def changed_meanwhile(patch: Patch) -> tuple[Verdict, ...]:
        said = first(patch)
        models.model_id = "cnn-second"
        return said

    models.verdicts = changed_meanwhile  # type: ignore[method-assign]
    queue = ReadingQueue(models, images, store)  # type: ignore[arg-type]
    queue.add(a_patch(1).sha256, "p.png")
    assert queue.wait(60)
    (item,) = whole_worklist(store, "", {"cnn": "cnn-second"})
    assert [verdict.model_id for verdict in item.verdicts] == ["cnn-second"]
