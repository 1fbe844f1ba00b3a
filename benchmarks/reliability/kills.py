"""kill -9 at random moments of uploading, scoring, saving and exporting; then the restart.

After each kill: the database opens, the chain of hashes is intact, everything that was acknowledged
is there with the same hash, each image that is there can be read, each export is whole or absent,
and after the sweep of a start no temporary file is left anywhere.
"""

import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.reliability import results
from benchmarks.reliability.places import place
from benchmarks.reliability.victim import STEPS
from her2core.common.files import remove_unfinished
from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import ReviewStore, StoreError

# seconds after the beginning of a step within which the kill comes: about as long as it takes
_WITHIN = {"upload": 0.06, "scoring": 0.15, "saving": 0.04, "exporting": 0.4}


@dataclass
class Ledger:
    """What the killed processes had acknowledged, and what was found wrong after all kills."""

    reviews: dict[int, str] = field(default_factory=dict)
    uploads: set[str] = field(default_factory=set)
    exports: set[str] = field(default_factory=set)
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STEPS, 0))
    unfinished: int = 0
    wrong: list[str] = field(default_factory=list)
    opening: list[float] = field(default_factory=list)
    kept: int = 0
    exported: int = 0


def measure(number: int, database: str, seed: int = 1, *, models: bool = False) -> dict[str, Any]:
    """Kill so many processes, one after the other, on one growing store; returns the result."""
    dice = random.Random(seed)
    ledger = Ledger()
    with place(database) as (home, url):
        for attempt in range(number):
            step = STEPS[attempt % len(STEPS)]
            _kill_one(home, url, attempt, step, dice, ledger, models)
            _look(home, url, ledger)
            _progress(attempt + 1, number, ledger)
    return {
        "kills": number,
        "database": database,
        "networks": models,
        "kills_during": ledger.kills,
        "reviews_acknowledged": len(ledger.reviews),
        "uploads_acknowledged": len(ledger.uploads),
        "exports_acknowledged": ledger.exported,
        "reviews_in_the_log": ledger.kept,
        "temporaries_swept": ledger.unfinished,
        "wrong": ledger.wrong,
        "opening_seconds_largest": round(max(ledger.opening, default=0.0), 3),
    }


def _kill_one(
    home: Path, url: str, seed: int, step: str, dice: random.Random, ledger: Ledger, models: bool
) -> None:
    wanted, delay = dice.randint(1, 3), dice.uniform(0, _WITHIN[step])
    temporary = home.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    victim = subprocess.Popen(
        [
            *(sys.executable, "-m", "benchmarks.reliability.victim", str(home), url, str(seed)),
            "exports" if step == "exporting" else "-",
            "models" if models else "-",
        ],
        cwd=results.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert victim.stdout is not None
    assert victim.stderr is not None
    for line in victim.stdout:
        _note(line, ledger)
        if line == f"begin {step}\n":
            wanted -= 1
            if not wanted:
                break
    else:
        raise RuntimeError(f"The process ended by itself:\n{victim.stderr.read()[-2000:]}")
    time.sleep(delay)
    os.kill(victim.pid, signal.SIGKILL)  # it alone: whatever it had started has to end by itself
    for line in victim.stdout:
        _note(line, ledger)
    victim.wait()
    victim.stdout.close()
    victim.stderr.close()
    ledger.kills[step] += 1


def _note(line: str, ledger: Ledger) -> None:
    """Take down what a whole line acknowledges; a line cut by the kill acknowledges nothing."""
    if not line.endswith("\n"):
        return
    word, *rest = line.split()
    if word == "saved":
        ledger.reviews[int(rest[0])] = rest[1]
    elif word == "uploaded":
        ledger.uploads.add(rest[0])
    elif word == "exported":
        ledger.exports.add(rest[0])
        ledger.exported += 1


def _look(home: Path, url: str, ledger: Ledger) -> None:
    """Restart, and note whatever is not as it has to be."""
    ledger.unfinished += len(list(home.rglob("*.part*")))
    started = time.perf_counter()
    try:
        store = ReviewStore(url)
    except StoreError as error:
        ledger.wrong.append(f"The store did not open: {error}")
        return
    ledger.opening.append(time.perf_counter() - started)
    images = ImageStore(home / "patches")
    remove_unfinished(home)
    try:
        log = store.reviews(ReviewFilter(include_superseded=True))
        patches = {patch.sha256 for patch in store.patches()}
        ledger.wrong += store.verify_chain()
    finally:
        store.close()
    kept = {review.id: review.entry_hash for review in log}
    ledger.kept = len(kept)
    ledger.wrong += [
        f"Review {number} was acknowledged and is not there."
        for number, entry_hash in ledger.reviews.items()
        if kept.get(number) != entry_hash
    ]
    ledger.wrong += [
        f"Review {review.id} is not whole."
        for review in log
        if len(review.verdicts) != 2 or review.stain is None
    ]
    for sha256 in ledger.uploads:
        if sha256 not in patches or not images.has(sha256):
            ledger.wrong.append(f"Upload {sha256[:12]} was acknowledged and is not there.")
    ledger.wrong += [f"{name} is damaged." for name in _damaged(home)]
    missing = ledger.exports - {path.name for path in home.glob("study-*.zip")}
    ledger.wrong += [f"{name} was acknowledged and is not there." for name in missing]
    left = [path for path in (home, home.parent / "tmp") for path in path.rglob("*")]
    ledger.wrong += [f"{path.name} was left." for path in left if ".part" in path.name]
    ledger.wrong += [f"{path.name} was left." for path in (home.parent / "tmp").iterdir()]
    for archive in home.glob("study-*.zip"):  # looked at; the disk is not without end
        ledger.exports.discard(archive.name)
        archive.unlink()


def _damaged(home: Path) -> list[str]:
    names = []
    for archive in home.glob("study-*.zip"):
        try:
            with zipfile.ZipFile(archive) as opened:
                if opened.testzip() is not None:
                    names.append(archive.name)
        except zipfile.BadZipFile:
            names.append(archive.name)
    return names


def _progress(done: int, number: int, ledger: Ledger) -> None:
    if done % 10 == 0 or done == number:
        print(
            f"{done} of {number} kills: {len(ledger.reviews)} reviews acknowledged, "
            f"{len(ledger.wrong)} things wrong",
            flush=True,
        )
