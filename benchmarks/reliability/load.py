"""Many reviewers at one server: browsers that review for minutes, as people do.

Every session is a browser context of its own in Debian's chromium, signed in under its own name. A
reviewer thinks, presses a score, presses Enter, and waits until the page says "Saved". Measured are
the time from Enter until the review is in the log, seen by a reader of the database of its own; the
time until the page says so, which is drawn with the next patch; and the memory of the server's
processes meanwhile. The browsers run on the same machine as the server, so they take their share of
its cores.
"""

import asyncio
import functools
import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from playwright.async_api import Browser, Error, Page, async_playwright

from benchmarks.reliability import results, reviewer, work
from benchmarks.reliability.arrivals import Arrivals, delays
from her2core.accounts.records import Identity
from her2core.people.worklist import Worklist
from her2core.preprocessing.image_store import ImageStore
from her2core.reviews.records import ReviewFilter
from her2core.reviews.store import ReviewStore
from her2core.serving.intake import take_in
from her2core.settings import UploadLimits
from tests.browser.server import CHROMIUM, CHROMIUM_ARGS, Server

_SAMPLE_SECONDS = 5.0
_STARTING = 4  # sessions that open their page at the same time
_KEYS = "0123"
# no measurement begins before the server has used less than this in three seconds, or after so long
_BARELY, _QUIET_SECONDS = 0.3, 300.0


@dataclass
class _Seen:
    """What the sessions saw."""

    waits: list[float] = field(default_factory=list)
    pressed: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    presses: reviewer.Presses = field(default_factory=reviewer.Presses)
    troubles: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    processor: float = 0.0


def measure(sessions: int, seconds: float, pace: float) -> dict[str, Any]:
    """Let so many sessions review for so long, one answer each `pace` seconds or so.

    Args:
        sessions: number of browser contexts.
        seconds: how long they review, after all have signed in.
        pace: mean seconds a reviewer thinks before answering.

    Returns:
        The result. `saved` counts what the pages called saved.
    """
    patches = max(4, round(1.5 * seconds / max(pace, 1)) + 2)
    with tempfile.TemporaryDirectory(prefix="her2-load-") as folder:
        home = Path(folder) / "home"
        database = home / "her2review.sqlite3"
        url = f"sqlite:///{database}"
        _fill(home, url, patches)
        server = Server(home)
        server.start(120)
        try:
            ready = functools.partial(_read_all, url, patches)
            with Arrivals(database) as arrivals:
                seen = asyncio.run(_review(server, sessions, seconds, pace, ready))
        finally:
            server.kill()
        store = ReviewStore(url)
        try:
            log = store.reviews(ReviewFilter(include_superseded=True))
            broken = store.verify_chain()
        finally:
            store.close()
    saved = delays(seen.pressed, arrivals.times())
    return {
        "sessions": sessions,
        "seconds": seconds,
        "pace": pace,
        "patches": patches,
        "saved": len(seen.waits),
        "reviews_in_the_log": len(log),
        "doubled": len(log) - len({(one.reviewer, one.patch.sha256) for one in log}),
        "chain": broken,
        "troubles": seen.troubles,
        "presses_repeated": seen.presses.again,
        "in_log_within_1_s": _share(saved),
        "in_log_median": _rounded(results.percentile(saved, 0.5)),
        "in_log_99_percent": _rounded(results.percentile(saved, 0.99)),
        "in_log_largest": _rounded(max(saved, default=None)),
        "shown_within_1_s": _share(seen.waits),
        "wait_median": _rounded(results.percentile(seen.waits, 0.5)),
        "wait_99_percent": _rounded(results.percentile(seen.waits, 0.99)),
        "wait_largest": _rounded(max(seen.waits, default=None)),
        "server_processor_seconds_per_answer": _rounded(
            seen.processor / len(seen.waits) if seen.waits else None
        ),
        **_memory(seen.memory),
    }


def _fill(home: Path, url: str, patches: int) -> None:
    home.mkdir()
    store, images = ReviewStore(url), ImageStore(home / "patches")
    for number in range(patches):
        taken = take_in(work.picture(number), f"{number}.png", images, store, UploadLimits())
        if taken.outcome != "new":
            raise RuntimeError(taken.message)
    store.close()


def _read_all(url: str, patches: int) -> None:
    """Wait until the server's models have read every patch: what is measured is reviewing."""
    store = ReviewStore(url)
    deadline = time.monotonic() + 600
    try:
        anybody = Worklist(store, Identity("", "reviewer", "open"), {})
        while anybody.counts().waiting:
            if time.monotonic() > deadline:
                raise RuntimeError("The models did not read the patches within ten minutes.")
            time.sleep(1)
    finally:
        store.close()


async def _review(
    server: Server, sessions: int, seconds: float, pace: float, ready: Callable[[], None]
) -> _Seen:
    seen = _Seen()
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGS)
        gate = asyncio.Semaphore(_STARTING)
        first = await browser.new_page()
        await first.goto(server.url)  # the models load with the first visitor
        await asyncio.to_thread(ready)
        await first.close()
        assert server.process is not None
        await _quiet(server.process.pid)
        pages = await asyncio.gather(
            *(_signed_in(browser, server.url, _name(n), gate) for n in range(1, sessions + 1))
        )
        await _quiet(server.process.pid)
        print(f"{sessions} reviewers are signed in and begin.", flush=True)
        before = _processor(server.process.pid)
        end = time.monotonic() + seconds
        await asyncio.gather(
            _watch_memory(server, end, seen),
            *(_reviewer(page, end, pace, n, seen) for n, page in enumerate(pages, start=1)),
        )
        seen.processor = _processor(server.process.pid) - before
        await browser.close()
    return seen


async def _signed_in(browser: Browser, url: str, name: str, gate: asyncio.Semaphore) -> Page:
    async with gate:
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        page = await context.new_page()
        await reviewer.sign_in(page, url, name)
        return page


async def _reviewer(page: Page, end: float, pace: float, number: int, seen: _Seen) -> None:
    dice = random.Random(number)
    answers = 0
    while True:
        think = dice.uniform(0.5, 1.5) * pace
        if time.monotonic() + think > end:
            return
        await asyncio.sleep(think)
        try:
            given = await reviewer.answer(page, dice.choice(_KEYS), seen.presses)
        except Error as error:
            said = str(error).splitlines()[0][:200]
            seen.troubles.append(f"After {answers} answers: {said} ({await reviewer.looks(page)})")
            return
        seen.pressed[_name(number)].append(given.pressed)
        seen.waits.append(given.wait)
        answers += 1


def _name(number: int) -> str:
    return f"Dr. {number}"


async def _quiet(leader: int) -> None:
    """Wait until the server works at nothing any more, such as preparing heat maps."""
    deadline = time.monotonic() + _QUIET_SECONDS
    while time.monotonic() < deadline:
        before = _processor(leader)
        await asyncio.sleep(3)
        if _processor(leader) - before < _BARELY:
            return


async def _watch_memory(server: Server, end: float, seen: _Seen) -> None:
    assert server.process is not None
    start = time.monotonic()
    while time.monotonic() < end:
        seen.memory.append((time.monotonic() - start, _resident(server.process.pid)))
        await asyncio.sleep(min(_SAMPLE_SECONDS, max(0.0, end - time.monotonic())))


def _memory(samples: list[tuple[float, int]]) -> dict[str, Any]:
    """Memory early (second sixth of the time) and late (last sixth), in MiB, and the growth."""
    if not samples:
        return {"memory_early_mib": None, "memory_late_mib": None, "memory_growth": None}
    sixth = max(1, len(samples) // 6)
    early = median(size for _, size in samples[sixth : 2 * sixth] or samples[:1])
    late = median(size for _, size in samples[-sixth:])
    return {
        "memory_early_mib": round(early / 2**20),
        "memory_late_mib": round(late / 2**20),
        "memory_growth": round(late / early - 1, 3),
        "memory_mib_every_5_s": [round(size / 2**20) for _, size in samples],
    }


def _share(waits: list[float]) -> float | None:
    return round(sum(wait <= 1 for wait in waits) / len(waits), 4) if waits else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _started_by(leader: int) -> list[Path]:
    """/proc folders of a process and of all it started (the same session)."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):  # it has just ended, or is no process
            if os.getsid(int(entry.name)) == leader:
                found.append(entry)
    return found


def _resident(leader: int) -> int:
    """Bytes of memory of the server's processes; what they share is counted once (Pss)."""
    total = 0
    for entry in _started_by(leader):
        with suppress(OSError):
            lines = (entry / "smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def _processor(leader: int) -> float:
    """Seconds of processor time the server's processes have used so far."""
    ticks = 0
    for entry in _started_by(leader):
        with suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime, stime
    return ticks / os.sysconf("SC_CLK_TCK")
