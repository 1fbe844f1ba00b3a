"""Seconds from starting a process until something can be seen: a page, a verdict."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.rows import Row, medians
from her2core.settings import PROJECT_ROOT, Settings
from tests.browser.server import Server
from tests.wire_client import Client

_FIRST_VERDICT = """
import numpy as np
from her2core.preprocessing.patches import Patch, Square
from her2core.settings import load_settings
from her2core.serving.workbench import Workbench
rgb = np.full((224, 224, 3), 200, np.uint8)
workbench = Workbench(load_settings(), maps=False)
assert len(workbench.verdicts(Patch("p.png", "0" * 64, rgb, Square(0, 0, 224)))) == 2
print("read", flush=True)
"""


def startup_rows(settings: Settings, repeats: int) -> Iterator[Row]:
    """From the start of a process until a page, and until both verdicts of a first patch.

    The first turn, in which files come into the system's cache and a backend is tried for the first
    time, does not count.

    Raises:
        RuntimeError: a process failed.
    """
    server = Server(settings.home / "server")
    started = time.perf_counter()
    server.start()
    try:
        Client(server.url).connect().run()
        seconds = time.perf_counter() - started
    finally:
        server.kill()
    measured = "`serve.py` until the page's script has run for a first session"
    yield Row("server start to first page", measured, None, seconds, "s")
    (seconds,) = medians([lambda _: _run(_FIRST_VERDICT, settings)], repeats)
    yield Row("process start to first verdicts", "a fresh process", None, seconds, "s")


def _run(code: str, settings: Settings) -> None:
    """A fresh process that runs the code; over as soon as it says that it has read."""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        env=_environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        answer = process.stdout.readline() if process.stdout else ""
        process.kill()  # how long it takes to end is nobody's concern
    if answer.strip() != "read":
        raise RuntimeError("The first verdict could not be given; see `python -m training.score`.")


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "HER2_HOME": str(settings.home),
        "HER2_BUNDLES": os.pathsep.join(str(folder) for folder in settings.bundle_dirs),
        "DATABASE_URL": settings.database_url,
        "PYTHONPATH": str(PROJECT_ROOT),
    }
