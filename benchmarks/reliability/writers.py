"""Many programs write to one database at once: no lost, doubled or half review, no "locked"."""

import json
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from itertools import chain
from typing import Any

from benchmarks.reliability import results
from benchmarks.reliability.places import place
from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import ReviewStore


def measure(seconds: float, database: str, writers: int = 10) -> dict[str, Any]:
    """Let so many programs save reviews for so long; returns the result."""
    with place(database) as (_, url):
        ReviewStore(url).close()
        reports = _written(url, writers, seconds)
        store = ReviewStore(url)
        try:
            log = store.reviews(ReviewFilter(include_superseded=True))
            broken = store.verify_chain()
        finally:
            store.close()
    acknowledged = {number: value for one in reports for number, value in one["saved"]}
    kept = {review.id: review.entry_hash for review in log}
    took = list(chain.from_iterable(one["took"] for one in reports))
    each = [len(one["saved"]) for one in reports]
    return {
        "database": database,
        "writers": writers,
        "seconds": seconds,
        "reviews": len(kept),
        "lost": sum(kept.get(number) != value for number, value in acknowledged.items()),
        "doubled": len(kept) - len({(review.reviewer, review.comment) for review in log}),
        "half": sum(len(review.verdicts) != 2 for review in log),
        "not_acknowledged": len(kept.keys() - acknowledged.keys()),
        "chain": broken,
        "refused": dict(Counter(chain.from_iterable(one["troubles"] for one in reports))),
        "reviews_per_second": round(len(kept) / seconds, 1),
        "fewest_and_most_per_writer": [min(each, default=0), max(each, default=0)],
        "seconds_median": _rounded(results.percentile(took, 0.5)),
        "seconds_99_percent": _rounded(results.percentile(took, 0.99)),
        "seconds_largest": _rounded(max(took, default=None)),
    }


def _written(url: str, writers: int, seconds: float) -> list[dict[str, Any]]:
    programs = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.reliability.writer"),
                *(url, str(number), str(seconds)),
            ],
            cwd=results.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(1, writers + 1)
    ]
    for program in programs:
        assert program.stdout is not None
        program.stdout.readline()  # "ready", or nothing where it ended; that is told below
    for program in programs:
        assert program.stdin is not None
        with suppress(BrokenPipeError):
            program.stdin.write("go\n")
            program.stdin.flush()
    reports = []
    for program in programs:
        said, trouble = program.communicate(timeout=seconds + 300)
        if program.returncode:
            raise RuntimeError(f"A writer ended with an error:\n{trouble[-2000:]}")
        reports.append(json.loads(said))
    return reports


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
