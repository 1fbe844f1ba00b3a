"""Reviewed patches of this installation, as labelled patches for the commands that learn."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from her2core.common.csv_table import csv_table
from her2core.common.files import write_atomically
from her2core.people.assignments import Assignments
from her2core.people.own_labels import own_patches, reviewed_patches
from her2core.preprocessing.image_store import open_images
from her2core.preprocessing.patches import PatchError
from her2core.reviews.store import ReviewStore
from her2core.settings import Settings
from her2core.training.own_patches import OwnPatch

TABLE = "reviewed.csv"


def reviewed_here(settings: Settings, group_pattern: str) -> list[OwnPatch]:
    """The patches whose score is settled; how many are not is printed.

    Raises:
        StoreError: the review store cannot be read.
        AdaptError: the pattern is none.
    """
    store = ReviewStore(settings.database_url)
    try:
        reviewed, others = reviewed_patches(store.reviews(), Assignments(store).plan())
    finally:
        store.close()
    print(
        f"{len(reviewed)} reviewed patches; {others} more left out, whose double read is not "
        "decided or whose readers differ.",
        file=sys.stderr,
    )
    return own_patches(reviewed, open_images(settings), group_pattern)


def write_reviewed(patches: Iterable[OwnPatch], table: Path) -> None:
    """Write the reviewed squares as numbered PNG files beside a table `file, label, group`.

    Raises:
        OSError: the folder cannot be written.
    """
    table.parent.mkdir(parents=True, exist_ok=True)
    rows = [("file", "label", "group")]
    for own in patches:
        try:
            pixels = own.load().field()
        except PatchError as error:
            print(error, file=sys.stderr)
            continue
        name = f"{len(rows)}.png"
        Image.fromarray(pixels).save(table.with_name(name))
        rows.append((name, own.label.key, own.group))
    write_atomically(table, csv_table(rows))
