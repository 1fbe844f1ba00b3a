"""Seconds from starting a process until something can be seen: a page, a verdict."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.rows import Row, medians
from her2core.settings import PROJECT_ROOT, Settings

_PATIENCE = 300.0
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


@dataclass(frozen=True)
class Startup:
    """Seconds, and in words what exactly was measured."""

    seconds: float
    measured: str


def seconds_to_page(settings: Settings) -> Startup | None:
    """Start the server and ask for its first page as a browser does; None without app.py.

    Raises:
        RuntimeError: the server ended or did not answer in time.
    """
    if not (PROJECT_ROOT / "app.py").is_file():
        return None
    port = _free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    started = time.perf_counter()
    server = subprocess.Popen(
        [*command, "--server.headless", "true"],
        cwd=PROJECT_ROOT,
        env=_environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        asyncio.run(_first_page(port, server, started + _PATIENCE))
        seconds = time.perf_counter() - started
    finally:
        server.terminate()
        server.wait(30)
    return Startup(
        seconds, "`streamlit run app.py` until the page's script has run for a first session"
    )


def startup_rows(settings: Settings, repeats: int = 3) -> Iterator[Row]:
    """From the start of a process until a page, and until both verdicts of a first patch.

    The first turn, in which files come into the system's cache and a backend is tried for the first
    time, does not count.

    Raises:
        RuntimeError: a process failed.
    """
    page = seconds_to_page(settings)
    if page is not None:
        yield Row("server start to first page", page.measured, None, page.seconds, "s")
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


async def _first_page(port: int, server: subprocess.Popen[bytes], deadline: float) -> None:
    """Connect as a browser does and wait until the script of the first page has finished."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
    from websockets.asyncio.client import connect

    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    while True:
        if server.poll() is not None or time.perf_counter() > deadline:
            raise RuntimeError("The server did not start; try `streamlit run app.py`.")
        try:
            connection = await connect(address, subprotocols=["streamlit"], max_size=None)  # type: ignore[list-item]
            break
        except OSError:
            await asyncio.sleep(0.05)
    async with connection:
        question = BackMsg()
        question.rerun_script.query_string = ""
        await connection.send(question.SerializeToString())
        while True:
            answer = ForwardMsg()
            data = await asyncio.wait_for(connection.recv(), deadline - time.perf_counter())
            answer.ParseFromString(data if isinstance(data, bytes) else data.encode())
            if answer.WhichOneof("type") == "script_finished":
                return


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "HER2_HOME": str(settings.home),
        "HER2_BUNDLES": os.pathsep.join(str(folder) for folder in settings.bundle_dirs),
        "DATABASE_URL": settings.database_url,
        "PYTHONPATH": str(PROJECT_ROOT),
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
