"""Which bundles lie in the bundle folders and which are in use.

Free of tensorflow: only cards are read here, so that the Models page draws at once.
"""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

from her2core.common.files import write_atomically
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard
from her2core.settings import Settings

CHOICE_FILE = "models.json"


@dataclass(frozen=True)
class BundleEntry:
    """A bundle folder: its card, or the sentence that says why it cannot be used."""

    folder: Path
    card: ModelCard | None
    problem: str | None


def find_bundles(settings: Settings) -> tuple[BundleEntry, ...]:
    """Every bundle in the bundle folders, in their order, the earliest trained first within each.

    A folder counts as a bundle when it is not hidden; a bundle folder may also be named itself in
    the settings. Broken bundles are listed with their problem, never raised.
    """
    found: dict[Path, BundleEntry] = {}
    for root in settings.bundle_dirs:
        entries = [_entry(candidate.resolve()) for candidate in _candidates(root)]
        for entry in sorted(entries, key=_by_age):
            found.setdefault(entry.folder, entry)
    return tuple(found.values())


def chosen(settings: Settings) -> dict[str, Path]:
    """Architecture -> folder of the bundle to load: no model takes over that nobody chose.

    What `choose` recorded comes first, even where that folder is gone. Otherwise the first usable
    bundle found: one of a folder that HER2_BUNDLES names, else the shipped one, else the
    installation's own, and of several in one folder the one trained first, so that a later one
    copied beside it waits until it is chosen. Nothing is written for this: it holds for every
    process, on a home that may only be read, too. An architecture without any bundle is left out.

    Raises:
        BundleError: the record of choices is damaged.
    """
    found: dict[str, Path] = {}
    for entry in find_bundles(settings):
        if entry.card is not None:
            found.setdefault(entry.card.architecture, entry.folder)
    return {**found, **_choices(settings)}


def choose(settings: Settings, architecture: str, folder: Path) -> None:
    """Record that `folder` holds the bundle to use for an architecture.

    Raises:
        BundleError: the folder holds no readable card, or one of another architecture, or the
            choice cannot be written.
    """
    entry = _entry(folder.resolve())
    if entry.card is None:
        raise BundleError(entry.problem or "")
    if entry.card.architecture != architecture:
        raise BundleError(
            f"Model bundle “{folder.name}” is a {entry.card.architecture}, not a {architecture}; "
            "choose one of the same architecture."
        )
    try:
        choices = _choices(settings)
    except BundleError:
        choices = {}  # a damaged record is replaced by the choice made now
    choices[architecture] = entry.folder
    text = json.dumps({name: str(path) for name, path in choices.items()}, indent=2) + "\n"
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(settings.home / CHOICE_FILE, text.encode())
    except OSError as error:
        raise BundleError(
            f"The choice of model bundle “{folder.name}” cannot be written to {settings.home}; "
            "check that this folder may be written to."
        ) from error


def free_folder(settings: Settings, name: str) -> Path:
    """Where a bundle of the installation's own can be written: NAME, or NAME-2 and so on."""
    root = settings.home / "bundles"
    numbers = itertools.count(2)
    folder = root / name
    while folder.exists():
        folder = root / f"{name}-{next(numbers)}"
    return folder


def _candidates(root: Path) -> list[Path]:
    if (root / CARD_FILE).is_file():
        return [root]
    try:
        return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []


def _by_age(entry: BundleEntry) -> tuple[str, str]:
    """Sorts the earliest trained first, by its card, the same day by name; unreadable ones lead."""
    return ("" if entry.card is None else entry.card.date, entry.folder.name)


def _entry(folder: Path) -> BundleEntry:
    try:
        card = ModelCard.read(folder / CARD_FILE)
    except BundleError as error:
        return BundleEntry(folder, None, str(error))
    if card.architecture not in ARCHITECTURES:
        known = " and ".join(ARCHITECTURES)
        problem = (
            f"Model bundle “{folder.name}” cannot be used: its architecture is not known here; "
            f"known are {known}."
        )
        return BundleEntry(folder, None, problem)
    return BundleEntry(folder, card, None)


def _choices(settings: Settings) -> dict[str, Path]:
    path = settings.home / CHOICE_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        data = None
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise BundleError(
            f"{CHOICE_FILE} in {settings.home} is damaged; delete it or choose the models again."
        )
    return {name: Path(value) for name, value in data.items() if name in ARCHITECTURES}
