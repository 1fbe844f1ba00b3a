"""One reviewer's program of the writers' measurement: saves without a pause until time is up.

It says "ready" once it could write, and begins when it is told to.
"""

import json
import sys
import time

from benchmarks.reliability import work
from her2core.reviews.store import ReviewStore, StoreError

# one answer in so many is sent twice, as by a doubled click
TWICE = 10


def main(url: str, number: int, seconds: float) -> None:
    """Save for so many seconds; prints what came of it as JSON."""
    store = ReviewStore(url)
    sha256 = work.patch(number).sha256
    store.add_patch(work.patch(number))
    saved: list[tuple[int, str]] = []
    took: list[float] = []
    troubles: list[str] = []
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + seconds
    answer = 0
    while time.monotonic() < end:
        answer += 1
        draft, token = work.answer(sha256, f"Dr. {number}", answer), f"{number}-{answer}"
        before = time.perf_counter()
        try:
            review = store.save_review(draft, token=token)
            took.append(time.perf_counter() - before)
            saved.append((review.id, review.entry_hash))
            if answer % TWICE == 0 and store.save_review(draft, token=token) != review:
                troubles.append("A doubled click was answered with another review.")
        except StoreError as error:
            troubles.append(str(error))
    store.close()
    print(json.dumps({"saved": saved, "took": took, "troubles": troubles}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
