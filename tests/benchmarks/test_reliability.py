"""The measurements of docs/reliability.md run, small, and tell what is not kept."""

from __future__ import annotations

import json
import time

import pytest

from benchmarks.reliability import report, results
from benchmarks.reliability.__main__ import main
from benchmarks.reliability.arrivals import Arrivals, delays
from benchmarks.reliability.places import DATABASES
from her2core.reviews.store import ReviewStore
from tests.review_samples import draft, patch

LOAD = {
    "sessions": 20,
    "seconds": 300,
    "pace": 10,
    "saved": 500,
    "reviews_in_the_log": 500,
    "doubled": 0,
    "chain": [],
    "troubles": [],
    "presses_repeated": 3,
    "in_log_within_1_s": 0.995,
    "in_log_median": 0.1,
    "in_log_99_percent": 0.4,
    "in_log_largest": 0.6,
    "shown_within_1_s": 0.97,
    "wait_median": 0.2,
    "server_processor_seconds_per_answer": 0.25,
    "wait_99_percent": 0.9,
    "wait_largest": 1.4,
    "memory_early_mib": 900,
    "memory_late_mib": 910,
    "memory_growth": 0.011,
}


def test_killed_processes_lose_nothing_they_acknowledged(tmp_path):
    """One kill in each step; the command's own checks, and that they looked at something."""
    assert main(["kills", "--number", "4", "--results", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "kills-sqlite.json").read_text())
    assert found["kills_during"] == dict.fromkeys(("upload", "scoring", "saving", "exporting"), 1)
    assert found["wrong"] == []
    assert found["reviews_in_the_log"] >= found["reviews_acknowledged"] > 0


@pytest.mark.parametrize("database", DATABASES)
def test_writers_at_once_lose_and_double_nothing(tmp_path, database):
    command = ["writers", "--seconds", "1", "--writers", "2", "--database", database]
    assert main([*command, "--results", str(tmp_path)]) == 0
    found = json.loads((tmp_path / f"writers-{database}.json").read_text())
    assert found["reviews"] > 0
    assert found["machine"]["cores"] > 0


def test_the_page_says_what_was_measured_and_what_was_not(tmp_path):
    results.write("load", LOAD, tmp_path)
    target = tmp_path / "page.md"
    assert main(["report", "--results", str(tmp_path), "--page", str(target)]) == 0
    said = target.read_text()
    assert "99.5 % within 1 s of pressing Enter" in said
    assert "97.0 % within 1 s; median 0.2 s" in said
    assert "Every promise kept." in said
    assert "Not measured yet: `python -m benchmarks.reliability kills" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"in_log_within_1_s": 0.98}, "98.0 % of answers"),
        ({"in_log_within_1_s": None}, "no figure of answers"),
        ({"memory_growth": 0.2}, "memory grew by 20.0 %"),
        ({"reviews_in_the_log": 499}, "called saved and is not in the log"),
        ({"reviews_in_the_log": 0, "saved": 0}, "nothing was saved"),
        ({"doubled": 1}, "1 reviews doubled"),
        ({"chain": ["Entry 3 is missing."]}, "Entry 3 is missing."),
        ({"troubles": ["TimeoutError"]}, "TimeoutError"),
    ],
)
def test_a_promise_that_was_not_kept_is_said(change, words):
    assert report.failures("load", LOAD) == []
    assert words in "\n".join(report.failures("load", {**LOAD, **change}))


def test_a_review_is_seen_when_it_is_in_the_log_and_not_before(tmp_path):
    database = tmp_path / "log.sqlite3"
    store = ReviewStore(f"sqlite:///{database}")
    store.add_patch(patch())
    began = time.perf_counter()
    with Arrivals(database) as arrivals:
        time.sleep(0.1)
        assert arrivals.times() == {}
        store.save_review(draft(reviewer="Dr. Ito"))
        saved = time.perf_counter()
        while not arrivals.times() and time.perf_counter() < saved + 10:
            time.sleep(0.01)
    store.close()
    (seen,) = arrivals.times()["Dr. Ito"]
    assert began + 0.1 < seen
    assert delays({"Dr. Ito": [began], "Dr. Roy": [began]}, arrivals.times()) == [seen - began]


def test_percentiles_are_values_that_occurred():
    values = [float(number) for number in range(1, 101)]
    assert results.percentile(values, 0.99) == 99
    assert results.percentile(values, 0.5) == 50
    assert results.percentile([7.0], 0.99) == 7
    assert results.percentile([], 0.5) is None
