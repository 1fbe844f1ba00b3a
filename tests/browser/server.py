"""A real server of its own for browser tests: free port, empty workspace, killable."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@dataclass
class Server:
    """`python serve.py`, as `make run` does it, in a workspace of its own.

    Attributes:
        home: HER2_HOME of the server.
        bundles: HER2_BUNDLES, or None for the bundles that come with the project.
    """

    home: Path
    bundles: Path | None = None
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Address of the first page."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds: float = 180) -> None:
        """Start the server and wait until it answers; a restart keeps the port.

        Raises:
            RuntimeError: it ended or did not answer in time; the message carries its output.
        """
        self.port = self.port or free_port()
        environment = os.environ | {"HER2_HOME": str(self.home)}
        environment.pop("DATABASE_URL", None)
        if self.bundles is not None:
            environment["HER2_BUNDLES"] = str(self.bundles)
        log_path = self.home.parent / f"{self.home.name}-server.log"
        with log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "serve.py", "--port", str(self.port)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1),
            ):
                return
            time.sleep(0.1)
        self.kill()
        raise RuntimeError(f"The server did not come up:\n{log_path.read_text()[-4000:]}")

    def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL: nothing can be written any more)."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def free_port() -> int:
    """A port nobody listens to now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
