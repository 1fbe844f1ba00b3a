"""Start the workstation: `python serve.py [--port N] [--address A]`; `make run` does the same.

Looks at the door before anything listens: where others could reach the server and nobody would
have to sign in, it does not start (see her2core.accounts.door). Then Streamlit takes its place.
Exit status: 1 refused with a sentence, 2 a setting is wrong or the database cannot be opened.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent


class RefusedError(Exception):
    """The server must not start; str(error) says why, `status` is for the shell."""

    def __init__(self, status: int, sentence: str) -> None:
        """The exit status and one sentence."""
        super().__init__(sentence)
        self.status = status


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the door, then become `streamlit run app.py`; returns only when refused."""
    parser = argparse.ArgumentParser(prog="python serve.py", description=__doc__)
    parser.add_argument("--port", type=int, help="default: that of .streamlit/config.toml")
    parser.add_argument(
        "--address",
        help="address to listen to, 0.0.0.0 for every one of this machine; default: that of "
        ".streamlit/config.toml, this machine only",
    )
    options = parser.parse_args(arguments)
    from her2core.settings import load_settings, secrets_path

    os.chdir(ROOT)  # Streamlit reads .streamlit/config.toml where it is started
    address = options.address or configured_address()
    try:
        names = check(address)
    except RefusedError as refused:
        print(refused, file=sys.stderr)
        return refused.status
    # A limit of Streamlit's own, in MiB, would stop a file that the settings let in.
    largest = -(-load_settings().limits.max_bytes // 2**20)
    more = ["--server.maxUploadSize", str(largest)]
    more += ["--server.disconnectedSessionTTL", str(session_seconds())]
    if options.port is not None:
        more += ["--server.port", str(options.port)]
    for name in names:
        more += ["--server.allowedHosts", name]
    if os.environ.get("HER2_SECRETS"):
        # Streamlit's sign-in has to read the same file
        more += ["--secrets.files", str(secrets_path())]
    python = sys.executable
    run = [python, "-m", "streamlit", "run", "app.py", "--server.address", address, *more]
    sys.stdout.flush()
    return os.execv(python, run)


def session_seconds() -> int:
    """How long a session waits for a browser that lost its connection: longer than it may idle."""
    from her2core.settings import load_settings

    return 60 * (load_settings().sign_in.idle_minutes + 1)


def configured_address() -> str:
    """The address of the environment or of .streamlit/config.toml; without one, this machine's."""
    config = ROOT / ".streamlit" / "config.toml"
    server = tomllib.loads(config.read_text(encoding="utf-8")).get("server", {})
    return str(os.environ.get("STREAMLIT_SERVER_ADDRESS") or server.get("address") or "127.0.0.1")


def check(address: str) -> tuple[str, ...]:
    """The names by which browsers may ask for the server; none where any name will do.

    Raises:
        RefusedError: the server must not start.
    """
    from her2core.accounts.door import LOOPBACK_NAMES, OpenDoorError, way_in
    from her2core.accounts.store import AccountStore
    from her2core.reviews.store import ReviewStore, StoreError
    from her2core.settings import load_settings

    try:
        settings = load_settings()
        store = ReviewStore(settings.database_url)
    except (StoreError, ValueError, OSError) as error:
        raise RefusedError(2, str(error)) from None
    try:
        way = way_in(
            oidc=settings.sign_in.oidc,
            accounts=AccountStore(store).exist(),
            address=address,
            allow_open=settings.sign_in.allow_open,
        )
    except OpenDoorError as error:
        raise RefusedError(1, str(error)) from None
    except StoreError as error:
        raise RefusedError(2, str(error)) from None
    finally:
        store.close()
    if way != "open" or settings.sign_in.allow_open:
        return ()
    return tuple(dict.fromkeys((*LOOPBACK_NAMES, address.strip("[]"))))


if __name__ == "__main__":
    sys.exit(main())
