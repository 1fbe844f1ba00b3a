"""Keeps every uploaded patch, so that a review can be opened again with its exact pixels.

One lossless PNG per upload, named by the sha256 of the uploaded bytes. The upload itself is not
kept: its metadata may name a patient. A file is complete or absent, also after a power cut.
Where nothing may be stored, the same PNG is held in memory for as long as the server runs.
"""

from __future__ import annotations

import io
import os
import re
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from PIL import Image

from her2core.common.files import remove_unfinished, replaced_file
from her2core.preprocessing.image_formats import UnreadableImageError, read_image
from her2core.preprocessing.patches import Patch, PatchError, Square, safe_name
from her2core.settings import Settings

_SHA256 = re.compile(r"[0-9a-f]{64}")
# Stored pictures passed the upload limits when they came; later limits do not lock them out.
_NO_LIMIT = 2**31
# A third of the time of Pillow's default for some 5 % more disk.
_COMPRESSION = 3
_MEMORY_BYTES = 2**30


class Images(ABC):
    """Where the pictures of patches are kept, on disk or in memory."""

    @abstractmethod
    def put(self, patch: Patch) -> None:
        """Keep a patch, from now on where it is kept intact already.

        Raises:
            PatchError: there is no room for it.
            ValueError: `patch.sha256` is not a sha256.
        """

    @abstractmethod
    def has(self, sha256: str) -> bool:
        """Whether the patch of that upload is kept intact; False for what is no sha256."""

    @abstractmethod
    def stored(self, sha256: str) -> bytes | None:
        """The PNG file of a patch as it is kept; None where it is not.

        Raises:
            OSError: it is kept but cannot be read.
        """

    @abstractmethod
    def _lost(self, name: str, state: str) -> str:
        """The sentence on a patch that cannot be had; `state` says what became of its file."""

    def load(self, sha256: str, name: str) -> Patch:
        """The patch as it was uploaded, pixel for pixel, with its centred square, called `name`.

        Raises:
            PatchError: it is not kept, or its file is damaged.
        """
        shown = safe_name(name)
        try:
            png = self.stored(sha256)
            if png is None:
                raise PatchError(self._lost(shown, "missing"))
            rgb = read_image(png, _NO_LIMIT, 1).rgb
        except (OSError, UnreadableImageError) as error:
            raise PatchError(self._lost(shown, "damaged or not readable")) from error
        return Patch(shown, sha256, rgb, Square.centred(rgb.shape[1], rgb.shape[0]))


def open_images(settings: Settings) -> Images:
    """The folder of this installation, or memory where a setting says that nothing is stored.

    Raises:
        OSError: the folder can be neither made nor opened.
    """
    return ImageStore(settings.image_dir) if settings.store_images else MemoryImages()


class MemoryImages(Images):
    """Patches in the memory of this process, gone when it ends; safe to use from several threads.

    Beyond a total of `max_bytes` (compressed) the longest unused are let go.
    """

    def __init__(self, max_bytes: int = _MEMORY_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def put(self, patch: Patch) -> None:
        """Keep a patch; does nothing where it is kept already.

        Raises:
            PatchError: it alone is larger than all the memory there is for pictures.
            ValueError: `patch.sha256` is not a sha256.
        """
        if not _SHA256.fullmatch(patch.sha256):
            raise ValueError("A patch is kept under the sha256 of its upload.")
        if self.has(patch.sha256):
            return
        file = io.BytesIO()
        _as_png(patch, file)
        if file.tell() > self._max_bytes:
            raise PatchError(f"“{patch.name}” is too large to be held; upload a smaller region.")
        with self._lock:
            self._kept[patch.sha256] = file.getvalue()
            while sum(map(len, self._kept.values())) > self._max_bytes:
                self._kept.popitem(last=False)

    def has(self, sha256: str) -> bool:
        """Whether a patch is still in memory."""
        with self._lock:
            return sha256 in self._kept

    def stored(self, sha256: str) -> bytes | None:
        """The PNG of a patch; None where it came before this server, or had to make room."""
        with self._lock:
            if sha256 in self._kept:
                self._kept.move_to_end(sha256)
            return self._kept.get(sha256)

    def _lost(self, name: str, state: str) -> str:
        return (
            f"The picture of “{name}” is gone, because none are stored here; upload the same file "
            "again to see it, its reviews are not affected."
        )


class ImageStore(Images):
    """A folder of patches, readable by its owner only (folder 0700, files 0600)."""

    def __init__(self, root: Path) -> None:
        """Open the folder, make it where it is missing, and clear what crashes left in it.

        Raises:
            OSError: the folder can be neither made nor opened.
        """
        self._root = Path(root)
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root.chmod(0o700)
        remove_unfinished(self._root)

    def put(self, patch: Patch) -> None:
        """Keep a patch, from now on where it is kept intact already. Durable when it returns.

        Raises:
            PatchError: the disk is full or the folder cannot be written.
            ValueError: `patch.sha256` is not a sha256.
        """
        path = self._path(patch.sha256)
        if path is None:
            raise ValueError("A patch is stored under the sha256 of its upload.")
        if _is_intact(path) and _touched(path):
            return
        try:
            with replaced_file(path) as file:
                _as_png(patch, file)
        except OSError as error:
            raise PatchError(
                f"“{patch.name}” could not be kept ({error.strerror or 'write error'}); free disk "
                "space or ask who looks after this computer, then upload it again."
            ) from error

    def has(self, sha256: str) -> bool:
        """Whether a patch is kept here intact; False for anything that is not a sha256."""
        path = self._path(sha256)
        return path is not None and _is_intact(path)

    def stored(self, sha256: str) -> bytes | None:
        """The PNG file of a patch as it is kept; None where it is not.

        Raises:
            OSError: it is kept but cannot be read.
        """
        path = self._path(sha256)
        try:
            return None if path is None else path.read_bytes()
        except FileNotFoundError:
            return None

    def _lost(self, name: str, state: str) -> str:
        return (
            f"The stored image of “{name}” is {state}; upload the same file again to restore it, "
            "its reviews are not affected."
        )

    def kept(self) -> Iterator[tuple[str, datetime, int]]:
        """sha256, time of storing (UTC) and bytes of every image here."""
        for path in sorted(self._root.glob("*.png")):
            if self._path(path.stem) == path:
                facts = path.stat()
                yield path.stem, _stored_at(facts), facts.st_size

    def remove(self, sha256: str, *, stored_before: datetime | None = None) -> bool:
        """Delete an image; whether one was deleted.

        Args:
            sha256: of the upload.
            stored_before: leave an image that was put here at this time or later.

        Raises:
            OSError: it cannot be deleted.
        """
        path = self._path(sha256)
        if path is None:
            return False
        try:
            if stored_before is not None and _stored_at(path.stat()) >= stored_before:
                return False
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def _path(self, sha256: str) -> Path | None:
        """Where a patch lies; None for a name that could lead anywhere else."""
        return self._root / f"{sha256}.png" if _SHA256.fullmatch(sha256) else None


def _as_png(patch: Patch, file: IO[bytes]) -> None:
    """The pixels and nothing else."""
    Image.fromarray(patch.rgb).save(file, "PNG", compress_level=_COMPRESSION)


def _stored_at(facts: os.stat_result) -> datetime:
    return datetime.fromtimestamp(facts.st_mtime, UTC)


def _touched(path: Path) -> bool:
    """Make the file count as stored now; False where it has just been deleted."""
    try:
        os.utime(path)
    except OSError:
        return False
    return True


def _is_intact(path: Path) -> bool:
    """Whether the file is there with all its checksums right; its pixels are not unpacked."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            image.verify()
    except Exception:  # whatever is wrong with it, it is to be written again
        return False
    return True
