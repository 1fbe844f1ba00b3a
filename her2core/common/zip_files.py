"""Writing files into a ZIP, for their owner alone, with the size and sum of each."""

import hashlib
import time
import zipfile
from dataclasses import dataclass


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
