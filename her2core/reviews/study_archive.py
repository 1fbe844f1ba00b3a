"""A study as one ZIP, for taking it to another installation: records, images, sums.

    study.json       format, counts, end of the log; size and sha256 of every other file
    patches.jsonl    one patch a line, in order of arrival
    readings.jsonl   one reading of a model a line
    stains.jsonl     one stain measurement a line
    entries.jsonl    one entry of the review log a line, as hashed
    images/<sha256>.png

An archive comes from outside and may be made to harm: names are compared, never used as paths;
nothing is unpacked to disk; no file may be larger than said, and none larger than its limit.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

from her2core import __version__
from her2core.common.strict_json import parse, read
from her2core.common.zip_files import (
    DAMAGED,
    UNREADABLE,
    ZippedFile,
    add_file,
    can_unpack,
    unpack,
)
from her2core.reviews.chain import ChainHead
from her2core.reviews.records import PatchRecord
from her2core.reviews.schema import utc_text
from her2core.reviews.study import Study, StudyEntry, StudyError, StudyReading, StudyStain

FORMAT = "HER2 Review study"
FORMAT_VERSION = 1
MANIFEST = "study.json"
# field of a study -> what is in it, one record a line of FIELD.jsonl
_TABLES = {
    "patches": PatchRecord,
    "readings": StudyReading,
    "stains": StudyStain,
    "entries": StudyEntry,
}
_TABLE_FILES = frozenset(f"{name}.jsonl" for name in _TABLES)
_IMAGE = re.compile(r"images/([0-9a-f]{64})\.png")
_MAX_MANIFEST = 64 * 2**20
_MAX_TABLE = 512 * 2**20
_MAX_FILES = 200_000


@dataclass(frozen=True)
class _Manifest:
    format: str
    format_version: int
    version: str
    created_at: str
    last_id: int
    last_hash: str
    images_not_kept: tuple[str, ...]
    files: tuple[ZippedFile, ...]


def write_study(file: BinaryIO, study: Study, image: Callable[[str], bytes | None]) -> int:
    """Write the archive.

    Args:
        file: where to; must be seekable.
        study: the records.
        image: the stored PNG of a sha256; None where it is not kept any more.

    Returns:
        Number of images that are not kept any more; the archive says which.

    Raises:
        StudyError: the log does not say where it ends.
        OSError: the file cannot be written.
    """
    if study.head is None:
        raise StudyError("The review log does not say where it ends; restore it from a backup.")
    files: list[ZippedFile] = []
    missing: list[str] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _TABLES:
            files.append(add_file(archive, f"{name}.jsonl", _lines(getattr(study, name))))
        for patch in study.patches:
            png = image(patch.sha256)
            if png is None:
                missing.append(patch.sha256)
            else:
                files.append(add_file(archive, f"images/{patch.sha256}.png", png))
        manifest = _Manifest(
            format=FORMAT,
            format_version=FORMAT_VERSION,
            version=__version__,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            last_id=study.head.last_id,
            last_hash=study.head.last_hash,
            images_not_kept=tuple(missing),
            files=tuple(files),
        )
        add_file(archive, MANIFEST, json.dumps(asdict(manifest), indent=1).encode("ascii"))
    return len(missing)


class StudyReader:
    """An archive opened for reading. Nothing of it is trusted before it is checked."""

    def __init__(self, file: BinaryIO, max_image_bytes: int) -> None:
        """Read the table of contents and the records.

        Args:
            file: the archive; must be seekable.
            max_image_bytes: images beyond are refused.

        Raises:
            StudyError: it is no such archive, damaged, or made to harm.
        """
        self._max_image_bytes = max_image_bytes
        with _calm_refusals():
            self._zip = zipfile.ZipFile(file)
            self._infos = _contents(self._zip)
            contents = unpack(self._zip, self._infos[MANIFEST], _MAX_MANIFEST)
            manifest = read(_Manifest, parse(contents.decode("utf-8")), "the study")
            self._files = _listed(manifest, self._infos)
            self.study = Study(
                **{name: self._records(f"{name}.jsonl", kind) for name, kind in _TABLES.items()},
                head=ChainHead(manifest.last_id, manifest.last_hash),
            )
        strangers = set(self.images()) - {patch.sha256 for patch in self.study.patches}
        if strangers:
            raise StudyError(_refusal("it holds an image that belongs to no patch"))

    def images(self) -> list[str]:
        """sha256 of the patches whose image is in the archive."""
        matches = (_IMAGE.fullmatch(name) for name in self._files)
        return [match.group(1) for match in matches if match]

    def image(self, sha256: str) -> bytes:
        """The PNG of one patch, its sum checked.

        Raises:
            StudyError: it is damaged or larger than allowed.
        """
        with _calm_refusals():
            return self._checked(f"images/{sha256}.png", self._max_image_bytes)

    def _records(self, name: str, kind: type[Any]) -> tuple[Any, ...]:
        lines = map(parse, self._checked(name, _MAX_TABLE).decode("utf-8").splitlines())
        if kind is PatchRecord:
            lines = map(_with_later_fields, lines)
        return tuple(read(kind, line, f"a line of {name}") for line in lines)

    def _checked(self, name: str, limit: int) -> bytes:
        listed = self._files[name]
        data = unpack(self._zip, self._infos[name], limit)
        if len(data) != listed.bytes or hashlib.sha256(data).hexdigest() != listed.sha256:
            raise ValueError("a file in it is not the one that was written")
        return data


def _with_later_fields(patch: Any) -> Any:
    """A patch of a study that was written before patches had cases, and origins cores."""
    if not isinstance(patch, dict):
        return patch
    origin = patch.get("origin")
    if isinstance(origin, dict):
        origin = {"core": "", "whole": False, "estimated": False, **origin}
    return {"case": "", **patch, "origin": origin}


@contextmanager
def _calm_refusals() -> Iterator[None]:
    """Turn everything that a bad archive makes the libraries raise into one sentence."""
    try:
        yield
    except StudyError:
        raise
    except DAMAGED as error:
        raise StudyError(_refusal("it is no ZIP file, or cut off or damaged")) from error
    except UNREADABLE as error:
        reason = str(error) if isinstance(error, ValueError) else ""
        raise StudyError(_refusal(reason or "its contents are not readable")) from error


def _refusal(reason: str) -> str:
    return (
        f"This is no study that can be imported: {reason}; export it again with "
        "'python -m her2core.reviews export-study'. Nothing was imported."
    )


def _contents(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Name -> entry; only names that a study has, each once.

    Raises:
        ValueError: there is anything else in it.
    """
    infos: dict[str, zipfile.ZipInfo] = {}
    if len(archive.infolist()) > _MAX_FILES:
        raise ValueError("it holds too many files")
    for info in archive.infolist():
        name = info.filename
        if not (name in (MANIFEST, *_TABLE_FILES) or _IMAGE.fullmatch(name)):
            raise ValueError("it holds a file that no study has")
        if name in infos:
            raise ValueError("it holds a file twice")
        if not can_unpack(info):
            raise ValueError("it is encrypted, or packed in a way that is not supported")
        infos[name] = info
    if MANIFEST not in infos:
        raise ValueError("its table of contents is missing")
    return infos


def _listed(manifest: _Manifest, infos: Mapping[str, object]) -> dict[str, ZippedFile]:
    if manifest.format != FORMAT:
        raise ValueError("it was written by another program")
    if manifest.format_version != FORMAT_VERSION:
        raise ValueError(
            f"it was written by another version of this program ({manifest.version[:20]})"
        )
    files = {file.path: file for file in manifest.files}
    if files.keys() | {MANIFEST} != set(infos) or not files.keys() >= _TABLE_FILES:
        raise ValueError("its files are not those of its table of contents")
    return files


def _lines(records: Iterable[Any]) -> bytes:
    # ASCII: a line ends at \n only, whatever a comment holds
    return b"".join(
        json.dumps(asdict(record), default=utc_text).encode("ascii") + b"\n" for record in records
    )
