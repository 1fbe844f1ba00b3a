"""Files that are there whole or not at all, and the sweep of what a killed process left unfinished.

A file is written under a name of its own beside its place, forced to the disk, then renamed. The
name tells which process of which machine writes it, so that a later start can tell what nobody
will ever finish from what somebody is writing right now.
"""

import hashlib
import itertools
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_PRIVATE, _USUAL = 0o600, 0o666
_numbers = itertools.count(1)
# the ending after ".part" is SQLite's, of a backup being made
_PARTIAL = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)-\d+\.part(-wal|-shm|-journal)?")
# of another machine nothing is known but the age of its files
_STALE_SECONDS = 24 * 3600


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, also after a power cut.

    Raises:
        OSError: it cannot be written; what stood there before stays.
    """
    with replaced_file(path, _USUAL) as handle:
        handle.write(data)


@contextmanager
def replaced_file(path: Path, mode: int = _PRIVATE) -> Iterator[BinaryIO]:
    """A file to write which takes its place when the block ends without an error.

    Args:
        path: its place.
        mode: its rights, less the umask; by default its owner's alone.

    Raises:
        OSError: it cannot be written; what stood there before stays.
    """
    with _partial(path, mode) as file:
        yield file
        _to_disk(file)
        os.replace(file.name, path)
        _folder_to_disk(path.parent)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """The same for a place where nothing stands yet; the file is its owner's alone.

    A library that opens its files itself may fill it by its `name`.

    Raises:
        FileExistsError: something stands there; it stays.
        OSError: the file cannot be written.
    """
    if path.exists():
        raise FileExistsError(f"{path} is there already")
    with _partial(path, _PRIVATE) as file:
        yield file
        _to_disk(file)
        os.link(file.name, path)  # unlike a rename, it fails where something came meanwhile
        os.unlink(file.name)
        _folder_to_disk(path.parent)


def remove_unfinished(folder: Path) -> int:
    """Remove what killed processes left unfinished directly in this folder; returns how many.

    A file of this machine goes as soon as its process is gone, one of another machine (a shared
    folder) after a day.
    """
    removed = 0
    for leftover in folder.glob(".*.part*"):
        with suppress(OSError):  # another process was faster, or it is not ours to remove
            if _is_abandoned(leftover):
                leftover.unlink()
                removed += 1
    return removed


@contextmanager
def _partial(path: Path, mode: int) -> Iterator[BinaryIO]:
    partial = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}-{next(_numbers)}.part")
    with open(partial, "x+b", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        try:
            yield file
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _to_disk(handle: BinaryIO) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def _folder_to_disk(folder: Path) -> None:
    """Make a new name in the folder survive a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _is_abandoned(partial: Path) -> bool:
    named = _PARTIAL.fullmatch(partial.name)
    if named is None or named.group(1) != _HOST:
        return time.time() - partial.stat().st_mtime > _STALE_SECONDS
    process = int(named.group(2))
    return process != os.getpid() and not _is_running(process)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
