"""`python -m benchmarks.pages`: what a page costs with 100,000 patches against 1,000.

    python -m benchmarks.pages [--patches 100000] [--database sqlite] [--repeats 9]

Each page is drawn by Streamlit as a server draws it, without a browser and without networks, on a
store that `page_store` fills; in a process of its own for each size. Writes benchmarks/pages.json;
exit status 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.page_store import fill, reviewer_name, sha256_of
from benchmarks.reliability.places import DATABASES, place
from benchmarks.rows import Row, share, table, write
from her2core.settings import PROJECT_ROOT, Settings

RESULTS = Path(__file__).with_name("pages.json")
SMALL = 1_000
SHARE_GOAL, SECONDS_GOAL, MEMORY_GOAL = 1.5, 1.0, 1.2
_REVIEWERS = 20
_PAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "Review": ("review.py", {}),
    "Worklist": ("worklist.py", {}),
    "Worklist as gallery": ("worklist.py", {"view": "gallery"}),
    "Worklist by doubt": ("worklist.py", {"order": "doubt"}),
    "Worklist, blind": ("worklist.py", {"blind": True, "order": "doubt"}),
    "Review log": ("review_log.py", {}),
    "Agreement": ("evaluation.py", {"evaluation_tab": "Agreement from reviews"}),
    "Models": ("models.py", {}),
}
_MEMORY = "memory"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; 1 where a goal is missed."""
    args = _parser().parse_args(arguments)
    if args.worker:
        print(json.dumps(measure(Path(args.worker[0]), args.worker[1], args.repeats)))
        return 0
    rows: list[Row] = []
    for database in args.database or DATABASES:
        small = _measured(database, SMALL, args.repeats)
        large = _measured(database, args.patches, args.repeats)
        rows += rows_of(database, args.patches, small, large)
        write(rows, args.out)
    print(table(rows))
    return 0 if all(row.holds for row in rows) else 1


def rows_of(
    database: str, patches: int, small: dict[str, float], large: dict[str, float]
) -> list[Row]:
    """One row for each page: the large store against the small one."""
    against = (
        f"{SMALL:,} patches; ours: {patches:,}, twice as many verdicts, as many reviews, "
        f"{_REVIEWERS} reviewers"
    )
    rows = []
    for name, seconds in large.items():
        memory = name == _MEMORY
        what = "server's memory" if memory else name
        row = share(
            f"{what}, {database}",
            against,
            small[name],
            seconds,
            MEMORY_GOAL if memory else SHARE_GOAL,
            "MiB" if memory else "s",
        )
        slow = not memory and seconds > SECONDS_GOAL
        rows.append(replace(row, holds=bool(row.holds) and not slow))
    return rows


def measure(home: Path, url: str, repeats: int) -> dict[str, float]:
    """Fastest seconds of each page and of a save; and the memory of the process in MiB."""
    import numpy as np
    from streamlit.testing.v1 import AppTest

    from her2core.accounts.records import Identity
    from her2core.people.access import Desk
    from her2core.preprocessing.image_store import ImageStore
    from her2core.preprocessing.patches import Patch, Square
    from her2core.reviews.store import ReviewStore
    from her2core.serving.reading_queue import ReadingQueue
    from her2core.serving.services import Services
    from her2core.serving.workbench import Workbench
    from pages.shell import ui

    settings = Settings(home, url, ())
    workbench = Workbench(settings, ())
    workbench.wait()
    store, images = ReviewStore(url), ImageStore(settings.image_dir)
    queue = ReadingQueue(workbench, images, store)
    made = Services(settings, workbench, store, images, queue)
    setattr(ui, "services", lambda: made)  # noqa: B010  as a server's own would be found
    with store.reading() as asking:
        from sqlalchemy import text

        front = asking.execute(text("SELECT max(id) FROM patch")).scalar_one()
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    shown = [sha256_of(front - place) for place in range(repeats + 1)]
    for key in shown:
        images.put(Patch("p.png", key, pixels, Square(0, 0, 224)))
    while not store.watch.look(60.0).finished:
        pass
    found: dict[str, float] = {}
    for name, (page, state) in _PAGES.items():
        app = AppTest.from_file(str(PROJECT_ROOT / "pages" / "main.py"), default_timeout=600)
        for key, value in {"reviewer": reviewer_name(1), "last_patch": shown[0], **state}.items():
            app.session_state[key] = value
        app.switch_page(page).run()
        found[name] = _fastest(partial(_run, app), repeats)
    drafts = iter(_drafts(store, shown))
    person = Identity(reviewer_name(1), "reviewer", "open")
    found["save"] = _fastest(lambda: Desk(store, person).save_review(next(drafts)), repeats)
    found[_MEMORY] = _resident()
    store.close()
    return found


def _run(app: Any) -> None:
    app.run()
    if app.exception or app.error:
        raise SystemExit(f"The page failed: {app.exception or app.error}")


def _drafts(store: Any, keys: Sequence[str]) -> list[Any]:
    from her2core.preprocessing.patches import Square
    from her2core.reviews.records import ReviewDraft
    from her2core.scores import HER2Score

    return [
        ReviewDraft(
            patch_sha256=key,
            square=Square(0, 0, 224),
            reviewer=reviewer_name(1),
            verdicts=(),
            agrees={},
            own_score=HER2Score(1),
            confidence="high",
            comment="",
        )
        for key in keys
    ]


def _fastest(way: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest turn: what else runs on the machine only ever adds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        way()
        times.append(time.perf_counter() - started)
    return min(times)


def _resident() -> float:
    """Memory that this process holds now, MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _measured(database: str, patches: int, repeats: int) -> dict[str, float]:
    """Fill a store and measure in a process of its own."""
    with place(database) as (home, url):
        # reviews of all patches but the last ones, which are saved while it is measured
        fill(url, patches, patches - patches // 20, _REVIEWERS)
        worker = [sys.executable, "-m", "benchmarks.pages", "--worker", str(home), url]
        done = subprocess.run(
            [*worker, "--repeats", str(repeats)], check=True, capture_output=True, text=True
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--patches", type=int, default=100_000, help="of the large store")
    parser.add_argument("--database", choices=DATABASES, action="append", help="default: both")
    parser.add_argument("--repeats", type=int, default=9, help="times each page is drawn")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file to write")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    os.chdir(PROJECT_ROOT)
    sys.exit(main())
