"""What the background queue reads: what no reader in use has read, and nothing for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from her2core.image_store import ImageStore
from her2core.load_state import LoadState, ModelState
from her2core.models.verdict import Verdict
from her2core.patches import Patch
from her2core.reading_queue import ReadingQueue
from her2core.reviews.store import ReviewStore
from tests.review_samples import patch as record
from tests.review_samples import url
from tests.tiny_bundles import a_patch


@dataclass
class FewWords:
    """Stands for a workbench: a CNN of this name that says 0 to all, and what it was shown."""

    model_id: str = "cnn-first"
    shown: list[str] = field(default_factory=list)

    def state(self) -> LoadState:
        ready = ModelState("cnn", "ready", "CNN is ready.", model_id=self.model_id)
        return LoadState("ready", (ready,), 0.0)

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
    assert {v.model_id for i in store.worklist("", {"cnn": "cnn-second"}) for v in i.verdicts} == {
        "cnn-second"
    }
    models.model_id = "cnn-first"
    assert read() == [], "what it said before is known"


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
    (item,) = store.worklist("", {"cnn": "cnn-second"})
    assert [verdict.model_id for verdict in item.verdicts] == ["cnn-second"]
