"""Whether this installation can work: `python -m her2core.health`, one line a part.

Database, image folder, free disk space and model bundles; no model is loaded. A database that is
there is brought up to date where need be, as at a start of the server; one that is not is not made:
that is the server's to do, and a wrong HER2_HOME must not look healthy. With `--url` it also
asks a running server. Exit status: 0 all well, 1 something is not. For a probe that runs every few
seconds ask the server's own /_stcore/health instead.
"""

import argparse
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from her2core.accounts.store import AccountStore
from her2core.models.bundles.card import BundleError
from her2core.models.bundles.registry import chosen
from her2core.reviews.database import has_database
from her2core.reviews.store import ReviewStore, StoreError
from her2core.settings import Settings, load_settings

ENOUGH_BYTES = 2 * 2**30
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """One part of the installation: whether it is well, and one sentence."""

    part: str
    well: bool
    sentence: str


def check(settings: Settings, url: str | None = None) -> list[Finding]:
    """Look at every part; one that cannot be looked at is not well.

    Args:
        settings: of the installation.
        url: address of a running server to ask as well.
    """
    parts: list[tuple[str, Callable[[], tuple[bool, str]]]] = [
        ("database", lambda: _database(settings)),
        ("images", lambda: _images(settings)),
        ("disk", lambda: _disk(settings)),
        ("models", lambda: _models(settings)),
    ]
    if url is not None:
        parts.append(("server", lambda: _server(url)))
    findings = []
    for part, look in parts:
        try:
            well, sentence = look()
        except (StoreError, BundleError, OSError) as error:
            well, sentence = False, str(error)
        findings.append(Finding(part, well, sentence))
    return findings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m her2core.health", description=__doc__)
    parser.add_argument("--url", help="address of a running server, e.g. http://127.0.0.1:8501")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except ValueError as error:
        print(f"settings  NOT WELL  {error}")
        return 1
    findings = check(settings, options.url)
    for finding in findings:
        print(f"{finding.part:9} {'well' if finding.well else 'NOT WELL':9} {finding.sentence}")
    return 0 if all(finding.well for finding in findings) else 1


def _database(settings: Settings) -> tuple[bool, str]:
    if not has_database(settings.database_url):
        return False, (
            "There is no review database yet; the server makes it when it starts. If it was "
            "started, check HER2_HOME and DATABASE_URL."
        )
    with closing(ReviewStore(settings.database_url)) as store:
        head = store.head()
        accounts = len(AccountStore(store).accounts())
    if head is None:
        return False, "The review log does not say where it ends; restore a backup."
    return True, f"Opens; {head.last_id} reviews, {accounts} accounts."


def _images(settings: Settings) -> tuple[bool, str]:
    folder = _existing(settings.image_dir)
    if not os.access(folder, os.W_OK | os.X_OK):
        return False, f"The folder {folder} cannot be written to."
    return True, "The folder can be written to."


def _disk(settings: Settings) -> tuple[bool, str]:
    free = shutil.disk_usage(_existing(settings.home)).free
    text = f"{free / 2**30:.1f} GiB free."
    return free >= ENOUGH_BYTES, text if free >= ENOUGH_BYTES else f"Only {text}"


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _models(settings: Settings) -> tuple[bool, str]:
    found = chosen(settings)
    if not found:
        return False, "No model bundle was found; HER2_BUNDLES names folders with bundles."
    return True, f"In use: {', '.join(folder.name for folder in found.values())}."


def _server(url: str) -> tuple[bool, str]:
    if not url.startswith(("http://", "https://")):
        return False, "The server's address begins with http:// or https://."
    address = f"{url.rstrip('/')}/_stcore/health"
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as answer:
            return answer.status == 200, f"Answers with {answer.status}."
    except (urllib.error.URLError, TimeoutError):
        return False, f"{address} does not answer."


if __name__ == "__main__":
    sys.exit(main())
