"""A review whose saving has returned is there after the process is killed, whenever that is."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import ReviewStore
from her2core.settings import PROJECT_ROOT
from tests.review_samples import url

ROOT = PROJECT_ROOT
KILLS = 5
WRITER = """
import sys
from pathlib import Path
from tests.review_samples import draft, open_store

store = open_store(Path(sys.argv[1]))
while True:
    saved = store.save_review(draft(comment=sys.argv[2]))
    print(saved.id, saved.entry_hash, flush=True)
"""


def test_every_review_reported_as_saved_survives_sigkill(tmp_path):
    dice = random.Random(9)
    reported: dict[int, str] = {}
    for attempt in range(KILLS):
        reported |= _write_until_killed(tmp_path, f"run {attempt}", dice.uniform(0.0, 0.3))

    store = ReviewStore(url(tmp_path))
    kept = {r.id: r.entry_hash for r in store.reviews(ReviewFilter(include_superseded=True))}
    assert len(reported) >= KILLS, "each run reports at least one before it is killed"
    assert reported.items() <= kept.items()
    # at most the one entry per run that was on the disk but not yet reported
    assert len(kept) - len(reported) <= KILLS
    assert sorted(kept) == list(range(1, len(kept) + 1))
    assert store.verify_chain() == []


def _write_until_killed(folder: Path, comment: str, seconds: float) -> dict[int, str]:
    """Ids and hashes a writer reported before it was killed, `seconds` after its first one."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), comment],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert writer.stdout is not None
    first = writer.stdout.readline()
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    lines = [first, *writer.stdout.read().splitlines(keepends=True)]
    writer.wait(timeout=30)
    writer.stdout.close()
    assert writer.returncode == -signal.SIGKILL
    whole = (line.split() for line in lines if line.endswith("\n"))
    return {int(number): entry_hash for number, entry_hash in whole}
