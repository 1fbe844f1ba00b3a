"""Start the workstation: `python serve.py [--port N] [--address A]`; `make run` does the same.

Looks at the door before anything listens: where others could reach the server and nobody would
have to sign in, it does not start (see her2core.accounts.door). Then app.py runs in this process.
Exit status: 1 refused with a sentence, 2 a setting is wrong or the database cannot be opened.
"""

import argparse
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from her2core.serving import logs
from her2core.serving.start import RefusedError, check
from her2core.settings import load_settings, secrets_path

ROOT = Path(__file__).resolve().parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the door, then serve until stopped; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python serve.py", description=__doc__)
    parser.add_argument("--port", type=int, help="default: that of .streamlit/config.toml")
    parser.add_argument(
        "--address",
        help="address to listen to, 0.0.0.0 for every one of this machine; default: that of "
        ".streamlit/config.toml, this machine only",
    )
    options = parser.parse_args(arguments)
    logs.configure()
    os.chdir(ROOT)  # Streamlit reads .streamlit/config.toml where it is started
    address = options.address or configured_address()
    try:
        names = check(address)
    except RefusedError as refused:
        print(refused, file=sys.stderr)
        return refused.status
    logs.take_over()
    from streamlit.web.cli import main as streamlit  # what the command `streamlit` calls

    streamlit(["run", "app.py", *streamlit_options(address, options.port, names)])
    return 0


def streamlit_options(
    address: str, port: int | None = None, names: Sequence[str] = ()
) -> list[str]:
    """What Streamlit is told beside .streamlit/config.toml, as its command line takes it.

    Args:
        address: to listen to.
        port: to listen to; None for the configured one.
        names: by which browsers may ask for the server; empty for any.
    """
    settings = load_settings()
    # A limit of Streamlit's own, in MiB, would stop a file that the settings let in.
    largest = -(-settings.limits.max_bytes // 2**20)
    # a session waits for a browser that lost its connection for longer than it may idle
    patience = 60 * (settings.sign_in.idle_minutes + 1)
    options = ["--server.address", address, "--server.maxUploadSize", str(largest)]
    options += ["--server.disconnectedSessionTTL", str(patience)]
    if port is not None:
        options += ["--server.port", str(port)]
    for name in names:
        options += ["--server.allowedHosts", name]
    if os.environ.get("HER2_SECRETS"):
        # Streamlit's sign-in has to read the same file
        options += ["--secrets.files", str(secrets_path())]
    return options


def configured_address() -> str:
    """The address of the environment or of .streamlit/config.toml; without one, this machine's."""
    config = ROOT / ".streamlit" / "config.toml"
    server = tomllib.loads(config.read_text(encoding="utf-8")).get("server", {})
    return str(os.environ.get("STREAMLIT_SERVER_ADDRESS") or server.get("address") or "127.0.0.1")


if __name__ == "__main__":
    sys.exit(main())
