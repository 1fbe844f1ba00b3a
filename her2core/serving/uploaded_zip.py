"""The files of an uploaded ZIP, one at a time and in memory: nothing is unpacked to disk.

An archive comes from outside and may be made to harm. A file in it that cannot be used is refused
by a sentence of its own, and those after it go on.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from her2core.common.text import printable
from her2core.common.zip_files import DAMAGED, UNREADABLE, can_unpack, unpack
from her2core.preprocessing.picture_files import no_data

_START, _EMPTY = b"PK\x03\x04", b"PK\x05\x06"
# stands before every file's entry in an archive's table of contents
_ENTRY = b"PK\x01\x02"
# an archive that lists more is not opened
MOST_LISTED = 20_000
# of all files of an archive together, unpacked
_MOST_BYTES = 8 * 2**30


class ArchiveError(ValueError):
    """The archive, or a file in it, cannot be used; str(error) is one sentence."""


@dataclass(frozen=True)
class PackedFile:
    """A file of an archive: its path there, and its bytes where they can be read.

    `read` raises ArchiveError where they cannot.
    """

    path: str
    read: Callable[[], bytes]


def is_zip(data: bytes) -> bool:
    """Whether a file is a ZIP by its content."""
    return data[:4] in (_START, _EMPTY)


def files_of(data: bytes, name: str, max_bytes: int) -> Iterator[PackedFile]:
    """The files of an archive but folders and what an operating system adds.

    Args:
        data: the archive.
        name: of its file, fit to be shown.
        max_bytes: a file may have no more, unpacked.

    Raises:
        ArchiveError: it cannot be opened, or lists too many files.
    """
    if data.count(_ENTRY) > MOST_LISTED:
        raise ArchiveError(
            f"“{name}” lists more than {MOST_LISTED:,} files and was not opened; pack fewer at a "
            "time."
        )
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (*DAMAGED, *UNREADABLE) as error:
        raise ArchiveError(
            f"“{name}” is no ZIP that can be read, or was cut off; pack it again."
        ) from error
    left = [_MOST_BYTES]
    for info in archive.infolist():
        path = info.filename.replace("\\", "/")
        parts = (part for part in PurePosixPath(path).parts if part != "..")
        if not info.is_dir() and not any(map(no_data, parts)):
            yield PackedFile(path, _reader(archive, info, name, max_bytes, left))


def _reader(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, max_bytes: int, left: list[int]
) -> Callable[[], bytes]:
    shown = f"“{printable(info.filename)[:120]}” in “{name}”"

    def read() -> bytes:
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise ArchiveError(f"{shown} has a path that leads outside and was left out.")
        if not can_unpack(info):
            raise ArchiveError(
                f"{shown} is encrypted or packed in a way that is not read; pack it again as an "
                "ordinary ZIP without a password."
            )
        if info.file_size > max_bytes:
            raise ArchiveError(
                f"{shown} is larger than {max_bytes / 2**20:,.6g} MiB; upload a smaller region."
            )
        left[0] -= info.file_size
        if left[0] < 0:
            raise ArchiveError(f"{shown} was left out: the archive unpacks to more than 8 GB.")
        try:
            data = unpack(archive, info, max_bytes)
        except (*DAMAGED, *UNREADABLE) as error:
            raise ArchiveError(f"{shown} is damaged; pack it again.") from error
        if is_zip(data):
            raise ArchiveError(f"{shown} is an archive itself; upload it by itself.")
        return data

    return read
