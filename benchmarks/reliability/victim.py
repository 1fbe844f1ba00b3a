"""The process that is killed: uploads, scores, saves and exports until it is no more.

Before each step it says "begin STEP"; after it, what it acknowledges. What was acknowledged has to
be there after the kill.
"""

import sys
import uuid
from dataclasses import replace
from itertools import count
from pathlib import Path

from benchmarks.reliability import work
from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.archive import to_zip
from her2core.reviews.store import ReviewStore
from her2core.reviews.study_transfer import export_study
from her2core.serving.intake import take_in
from her2core.serving.stain_service import StainReader
from her2core.serving.workbench import Workbench
from her2core.settings import Settings

STEPS = ("upload", "scoring", "saving", "exporting")


def main(home: Path, url: str, seed: int, exports: bool, models: bool) -> None:
    """Work until killed.

    Args:
        home: HER2_HOME.
        url: of the review store.
        seed: makes this process's pictures its own.
        exports: whether to export as well (it takes longer the more there is).
        models: whether the networks read each patch, too.
    """
    settings = Settings(home, url, (Path("data/bundles"),))
    store, images = ReviewStore(url), ImageStore(settings.image_dir)
    workbench = Workbench(settings, maps=False) if models else None
    reader = StainReader(settings.stain)
    if workbench is not None:
        workbench.wait()
    for number in count():
        say("begin", "upload")
        name = f"{seed}-{number}.png"
        taken = take_in(work.picture(seed * 1000 + number), name, images, store, settings.limits)
        if taken.sha256 is None:
            raise RuntimeError(taken.message)
        say("uploaded", taken.sha256)

        say("begin", "scoring")
        patch = images.load(taken.sha256, name)
        draft = work.answer(taken.sha256, f"Dr. {seed}", number)
        if workbench is not None:
            verdicts = workbench.verdicts(patch)
            draft = replace(draft, verdicts=verdicts, agrees={}, square=patch.square)
        stain = reader.reading(patch)
        store.record_verdicts(taken.sha256, draft.square, draft.verdicts)
        store.record_stain(taken.sha256, draft.square, stain)
        say("scored", taken.sha256)

        for _ in range(5):
            say("begin", "saving")
            saved = store.save_review(replace(draft, stain=stain), token=uuid.uuid4().hex)
            say("saved", saved.id, saved.entry_hash)

        if exports:
            say("begin", "exporting")
            target = home / f"study-{seed}-{number}.zip"
            export_study(store, images, target)
            say("exported", target.name)
            to_zip(store.reviews(), lambda key: images.load(key, key), lambda *_: ()).close()


def say(*words: object) -> None:
    """One line to whoever is going to kill this process."""
    print(*words, flush=True)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        sys.argv[2],
        int(sys.argv[3]),
        sys.argv[4] == "exports",
        sys.argv[5] == "models",
    )
