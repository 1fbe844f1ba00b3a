"""Which model bundles the browser tests run with."""

from __future__ import annotations

import shutil
from pathlib import Path

from her2core.settings import SHIPPED_DATA
from tests.tiny_bundles import NAMES, bundle_root


def usable_bundles(folder: Path) -> Path | None:
    """None where the project ships a bundle of every architecture, else a folder of stand-ins.

    The stand-ins are full networks with seeded random weights, copied to `folder`.
    """
    shipped = {card.parent.name for card in (SHIPPED_DATA / "bundles").glob("*/card.json")}
    if all(any(name.startswith(architecture) for name in shipped) for architecture in NAMES):
        return None
    shutil.copytree(bundle_root(), folder, dirs_exist_ok=True)
    return folder
