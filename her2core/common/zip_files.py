"""Files of a ZIP: written for their owner alone, and read out of archives made to harm."""

import hashlib
import time
import zipfile
import zlib
from dataclasses import dataclass

# what the libraries raise at a damaged archive, and beside that at a bad one
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError)
UNREADABLE = (
    zipfile.LargeZipFile,
    ValueError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
)
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_PIECE = 2**20


@dataclass(frozen=True)
class ZippedFile:
    """One file of an archive: the number of its bytes and their sha256."""

    path: str
    bytes: int
    sha256: str


def add_file(archive: zipfile.ZipFile, path: str, data: bytes) -> ZippedFile:
    """Write one file.

    Raises:
        OSError: the archive cannot be written.
    """
    info = zipfile.ZipInfo(path, date_time=time.localtime()[:6])
    # PNG is compressed already
    info.compress_type = zipfile.ZIP_STORED if path.endswith(".png") else zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    archive.writestr(info, data)
    return ZippedFile(path, len(data), hashlib.sha256(data).hexdigest())


def can_unpack(info: zipfile.ZipInfo) -> bool:
    """Whether a file is neither encrypted nor packed in a way that is not supported."""
    return not info.flag_bits & _ENCRYPTED and info.compress_type in _PACKED


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """Unpack one file in pieces and stop where it grows beyond what it said it is.

    Raises:
        ValueError: it is larger than the limit, or than it says.
        Exception: those of `DAMAGED` and `UNREADABLE`.
    """
    if info.file_size > limit:
        raise ValueError("a file in it is larger than allowed")
    pieces: list[bytes] = []
    size = 0
    with archive.open(info) as opened:
        while piece := opened.read(_PIECE):
            size += len(piece)
            if size > info.file_size:
                raise ValueError("a file in it is larger than it says")
            pieces.append(piece)
    return b"".join(pieces)
