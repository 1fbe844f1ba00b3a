"""Full disks, read-only folders, other versions of the program: each is one clear sentence.

Bad bundles have their tests in test_bundle.py and test_workbench.py.

What only the kernel can refuse runs in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import pytest

from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import ReviewStore, StoreError
from her2core.settings import PROJECT_ROOT
from tests.review_samples import draft, open_store, tamper, url

ROOT = PROJECT_ROOT
# fills the disk with reviews; prints the number of the last one saved, then what was said
FILL = """
import resource, sys
from pathlib import Path
from her2core.reviews.store import ReviewStore, StoreError
from tests.review_samples import draft

store = ReviewStore(sys.argv[1])
grown = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (grown, grown))
saved = 0
try:
    while True:
        saved = store.save_review(draft(comment="x" * 4000)).id
except StoreError as error:
    print(saved)
    print(error)
"""
# tries to open the store and to save; prints what is said
SAVE = """
import sys
from her2core.reviews.store import ReviewStore, StoreError
from tests.review_samples import draft

try:
    ReviewStore(sys.argv[1]).save_review(draft())
    print("saved")
except StoreError as error:
    print(error)
"""


def run(code: str, *arguments: str, unprivileged: bool = False) -> list[str]:
    """Lines printed by a process of its own; without root's rights over files if asked."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    # root may write anywhere; without these capabilities it is a user like any other
    stripped = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    prefix = stripped if unprivileged and os.geteuid() == 0 else []
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


class TestDisk:
    def test_a_disk_that_fills_up_while_reviews_are_saved_loses_none_of_those_acknowledged(
        self, tmp_path
    ):
        """The kernel refuses the write; the log is the longest that fitted, and goes on later."""
        open_store(tmp_path).close()
        number, said = run(FILL, url(tmp_path), str(300 * 1024))
        assert "disk" in said
        assert "Traceback" not in said
        assert "xxx" not in said
        with closing(ReviewStore(url(tmp_path))) as store:
            kept = store.reviews(ReviewFilter(include_superseded=True))
            assert int(number) > 0
            assert len(kept) == int(number)
            assert store.verify_chain() == []
            assert store.save_review(draft()).id == int(number) + 1

    def test_a_folder_that_may_not_be_written_to_says_so(self, tmp_path):
        store = open_store(tmp_path)
        store.save_review(draft())
        store.close()
        home = tmp_path / "home"
        for path in (home, *home.iterdir()):
            path.chmod(0o555 if path.is_dir() else 0o444)
        (said,) = run(SAVE, url(tmp_path), unprivileged=True)
        assert "read-only" in said or "could not be opened" in said or "could not be made" in said
        assert "review database" in said
        for path in (home, *home.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)
        assert ReviewStore(url(tmp_path)).verify_chain() == []


class TestVersions:
    def test_an_older_program_leaves_a_newer_database_alone_and_says_so(self, store_url):
        store = open_store(store_url)
        store.save_review(draft())
        store.close()
        tamper(store_url, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StoreError, match=r"newer version .*9999.*update this installation"):
            ReviewStore(store_url)

    def test_an_older_program_already_running_keeps_saving_or_says_why(self, store_url):
        """The newer one has migrated the database beneath it."""
        with closing(open_store(store_url)) as running:
            tamper(store_url, "ALTER TABLE review ADD COLUMN later_idea TEXT")
            try:
                assert running.save_review(draft()).id == 1
                assert running.verify_chain() == []
            finally:
                tamper(store_url, "ALTER TABLE review DROP COLUMN later_idea")
