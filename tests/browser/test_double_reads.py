"""A double read in a real browser: two disagree without seeing each other, a third decides.

An administrator takes a patch in and gives it out; at the end the log is exported and checked, and
one row edited by hand in the database is found and named.
"""

from __future__ import annotations

import csv
import io
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from her2core.accounts.records import Role
from her2core.accounts.store import AccountStore
from her2core.people.assignments import Assignments
from her2core.reviews.store import ReviewStore
from her2core.scores import HER2Score
from tests.browser.actions import (
    choose,
    click_until,
    save,
    settled,
    sign_in_with_password,
    sign_out,
    until,
    upload,
)
from tests.browser.server import ROOT, Server

pytestmark = [pytest.mark.browser]

PASSWORD = "brown rings round blue nuclei"
PEOPLE: dict[str, Role] = {
    "Dr. Root": "administrator",
    "Dr. Ada": "reviewer",
    "Dr. Ben": "reviewer",
    "Dr. Dee": "adjudicator",
}


def database(server: Server) -> Path:
    return server.home / "her2review.sqlite3"


@pytest.fixture
def people(server: Server) -> Iterator[ReviewStore]:
    """The store behind the running server, with four accounts."""
    store = ReviewStore(f"sqlite:///{database(server)}")
    accounts = AccountStore(store)
    for name, role in PEOPLE.items():
        accounts.add(name, role, password=PASSWORD)
    yield store
    store.close()


def verify(server: Server) -> tuple[int, str]:
    """Exit status and words of the command that checks the log."""
    done = subprocess.run(
        [sys.executable, "-m", "her2core.reviews", "verify"],
        cwd=ROOT,
        env=os.environ | {"HER2_HOME": str(server.home)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


def give_out(page) -> None:
    """Give the patch to two readers on the Worklist page."""
    fold = page.get_by_text("Give patches to readers")
    click_until(page, page.get_by_role("link", name="Worklist"), fold)
    readers = page.get_by_role("combobox", name="Readers")
    click_until(page, fold, readers)
    taken = page.get_by_test_id("stMultiSelect")
    for name in ("Dr. Ada", "Dr. Ben"):
        until(page, partial(choose_reader, readers, name), taken.get_by_text(name, exact=True))
    page.keyboard.press("Escape")
    button = page.get_by_role("button", name="Give out")
    click_until(page, button, page.get_by_text("All patches given to nobody (0)"))


def choose_reader(readers, name: str) -> None:
    readers.fill(name)
    readers.press("Enter")


def read_blind(page, url: str, name: str, key: str, label: str) -> None:
    """Sign in, see no verdict and no answer, give one's own, and sign out."""
    page.goto(url)
    sign_in_with_password(page, name, PASSWORD)
    page.get_by_text("Blind double read").wait_for()
    choose(page, key, label)
    nothing_shown(page)
    save(page, page.get_by_text(f"Your review: {label}"))


def nothing_shown(page) -> None:
    settled(page)
    assert page.locator('[class*="st-key-verdict-"]').count() == 0
    assert page.locator(".js-plotly-plot").count() == 0
    assert page.get_by_text(re.compile("The models (agree|differ)")).count() == 0


def test_two_disagree_blind_a_third_decides_and_a_hand_edited_row_is_named(
    server, people, page, brown_patch_png, tmp_path
):
    # nothing is shown before sign-in, whatever the address
    page.goto(f"{server.url}/review_log")
    page.get_by_role("button", name="Sign in").wait_for(timeout=180_000)
    assert page.get_by_test_id("stDataFrame").count() == 0
    assert page.get_by_role("link", name="Worklist").count() == 0
    page.goto(server.url)
    sign_in_with_password(page, "dr. root", PASSWORD)
    file = {"name": "Jane Doe.png", "mimeType": "image/png", "buffer": brown_patch_png}
    upload(page, [file], "1 of 1")
    give_out(page)
    sign_out(page)

    read_blind(page, server.url, "Dr. Ada", "1", "1+")
    page.get_by_text("when the other reader has answered").wait_for()
    nothing_shown(page)
    sign_out(page)
    read_blind(page, server.url, "Dr. Ben", "3", "3+")
    # both are in: the other's answer may be seen now
    page.get_by_text("answered 1+").wait_for()
    sign_out(page)

    page.goto(server.url)
    sign_in_with_password(page, "Dr. Dee", PASSWORD)
    page.get_by_text("Two readers differ").wait_for()
    choose(page, "2", "2+")
    save(page, page.get_by_text("Your review: 2+"))
    (read,) = Assignments(people).plan().double_reads.values()
    assert (read.stage, read.score, read.adjudicator) == (
        "adjudicated",
        HER2Score.TWO_PLUS,
        "Dr. Dee",
    )

    export = page.get_by_text("Export these 3 entries")
    click_until(page, page.get_by_role("link", name="Review log"), export)
    as_csv = page.locator(".st-key-log_export_csv button")
    click_until(page, export, as_csv)
    settled(page)
    with page.expect_download() as download:
        as_csv.click()
    download.value.save_as(tmp_path / "log.csv")
    check_export(tmp_path / "log.csv")
    assert "exported" in [entry.action for entry in AccountStore(people).audit()]

    assert verify(server)[0] == 0
    with closing(sqlite3.connect(database(server))) as raw:
        for (trigger,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            raw.execute(f"DROP TRIGGER {trigger}")
        raw.execute("UPDATE review SET own_score = 3 WHERE id = 1")
        raw.commit()
    status, said = verify(server)
    assert status == 1
    assert said.startswith("Entry 1 was changed after it was recorded")


def check_export(file: Path) -> None:
    """All three answers under their names, and no file name."""
    text = file.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    answers = {row["reviewer"]: row["own_score"] for row in rows}
    assert answers == {"Dr. Ada": "1+", "Dr. Ben": "3+", "Dr. Dee": "2+"}
    assert "Jane" not in text
