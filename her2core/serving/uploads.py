"""Uploads, taken in one file after another in the background, so that no page waits for them.

What the server has received is taken in whether or not the browser is still there: who comes back
finds how far it is, and what became of each file.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from her2core.preprocessing.patches import safe_name
from her2core.reviews.store import ReviewStore, StoreError
from her2core.serving.intake import Taken
from her2core.serving.uploaded_zip import ArchiveError, files_of, is_zip
from her2core.settings import UploadLimits

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SentFile:
    """A file as a browser has sent it."""

    name: str
    data: bytes


@dataclass(frozen=True)
class UploadState:
    """How far an upload is.

    Attributes:
        files: how many there are, as far as that is known: those of an archive count once it is
            opened.
        results: what became of those done.
        remarks: sentences on archives and tables.
        current: name of the file that is being taken in.
        stopped: somebody has stopped it; what was done stays.
        finished: nothing is left to do.
    """

    files: int
    results: tuple[Taken, ...]
    remarks: tuple[str, ...]
    current: str
    stopped: bool
    finished: bool


@dataclass
class _Upload:
    """One person's upload; files sent while it goes on are added to it."""

    waiting: deque[SentFile] = field(default_factory=deque)
    files: int = 0
    results: list[Taken] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    tables: list[SentFile] = field(default_factory=list)
    current: str = ""
    stopped: bool = False
    finished: bool = False


class Uploads:
    """All uploads of a server, each by whose it is. Safe to use from several threads."""

    def __init__(
        self, take_in: Callable[[bytes, str], Taken], store: ReviewStore, limits: UploadLimits
    ) -> None:
        """Nothing is taken in yet.

        Args:
            take_in: takes a file of this name into the workspace.
            store: where tables are noted.
            limits: of uploads.
        """
        self._enter = take_in
        self._store = store
        self._limits = limits
        self._uploads: dict[str, _Upload] = {}
        self._changed = threading.Condition()

    def add(self, owner: str, files: Sequence[SentFile]) -> None:
        """Take files in from now on; those beyond the limit of one upload are left out and told."""
        chosen, beyond = files[: self._limits.max_files], len(files) - self._limits.max_files
        with self._changed:
            upload = self._uploads.get(owner)
            if upload is None or upload.finished:
                upload = self._uploads[owner] = _Upload()
                threading.Thread(
                    target=self._run, args=(upload,), name="uploads", daemon=True
                ).start()
            upload.stopped = False
            upload.waiting.extend(chosen)
            upload.files += len(chosen)
            if beyond > 0:
                upload.remarks.append(_left_out(beyond))

    def state(self, owner: str) -> UploadState | None:
        """How far this person's last upload is; None where there is none."""
        with self._changed:
            upload = self._uploads.get(owner)
            return None if upload is None else _state(upload)

    def wait_for_first(self, owner: str, seconds: float) -> str | None:
        """Wait until a patch of the upload can be reviewed, or nothing more comes; its sha256."""

        def first() -> str | None:
            results = self._uploads[owner].results
            new = (taken for taken in results if taken.outcome == "new")
            return next((taken.sha256 for taken in (*new, *results) if taken.sha256), None)

        with self._changed:
            self._changed.wait_for(
                lambda: first() is not None or self._uploads[owner].finished, seconds
            )
            return first()

    def wait(self, owner: str, seconds: float) -> bool:
        """Wait until nothing is left to do; False when the time was not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: self._uploads[owner].finished, seconds)

    def stop(self, owner: str) -> None:
        """Take in no further file of this upload."""
        with self._changed:
            if upload := self._uploads.get(owner):
                upload.stopped = True

    def forget(self, owner: str) -> None:
        """Forget what became of a finished upload."""
        with self._changed:
            if (upload := self._uploads.get(owner)) and upload.finished:
                del self._uploads[owner]

    def _run(self, upload: _Upload) -> None:
        while True:
            with self._changed:
                if upload.stopped:
                    upload.waiting.clear()
                if not upload.waiting:
                    tables, upload.tables = upload.tables, []
                    if not tables:
                        upload.finished = True
                        upload.current = ""
                        self._changed.notify_all()
                        return
                else:
                    tables = []
                    file = upload.waiting.popleft()
            try:
                if tables:
                    self._note_cases(upload, tables)
                else:
                    self._take(upload, file)
            except Exception:
                _log.exception("An uploaded file could not be dealt with")
                self._say(upload, "A file could not be dealt with; the server's log says why.")

    def _take(self, upload: _Upload, file: SentFile) -> None:
        if is_zip(file.data):
            self._unpack(upload, file)
        elif _is_table(file.name):
            with self._changed:
                upload.tables.append(file)
                upload.files -= 1
        else:
            self._take_in(upload, file.name, file.data)

    def _unpack(self, upload: _Upload, file: SentFile) -> None:
        """The files of an archive in the place of the archive."""
        name, most = safe_name(file.name), self._limits.max_files
        try:
            packed = list(files_of(file.data, name, self._limits.max_bytes))
        except ArchiveError as error:
            self._refuse(upload, name, str(error))
            return
        if not packed:
            self._refuse(upload, name, f"“{name}” holds no files; pack the pictures into it.")
            return
        with self._changed:
            upload.files += min(len(packed), most) - 1
            if len(packed) > most:
                upload.remarks.append(f"“{name}”: {_left_out(len(packed) - most)}")
        for one in packed[:most]:
            if upload.stopped:
                return
            try:
                data = one.read()
            except ArchiveError as error:
                self._refuse(upload, safe_name(one.path), str(error))
                continue
            self._take(upload, SentFile(one.path, data))

    def _take_in(self, upload: _Upload, path: str, data: bytes) -> None:
        name = PurePosixPath(path).name or path
        with self._changed:
            upload.current = safe_name(name)
        taken = self._enter(data, name)
        with self._changed:
            upload.results.append(taken)
            if taken.sha256:
                upload.sent.append((path, taken.sha256))
            self._changed.notify_all()

    def _refuse(self, upload: _Upload, name: str, sentence: str) -> None:
        with self._changed:
            upload.results.append(Taken(name, "refused", None, sentence))
            self._changed.notify_all()

    def _note_cases(self, upload: _Upload, tables: Sequence[SentFile]) -> None:
        from her2core.serving.upload_table import note_cases

        for table in tables:
            name = safe_name(PurePosixPath(table.name).name)
            try:
                for sentence in note_cases(table.data, name, upload.sent, self._store):
                    self._say(upload, sentence)
            except StoreError as error:
                self._say(upload, f"“{name}” could not be used: {error}")

    def _say(self, upload: _Upload, sentence: str) -> None:
        with self._changed:
            upload.remarks.append(sentence)


def _state(upload: _Upload) -> UploadState:
    return UploadState(
        upload.files,
        tuple(upload.results),
        tuple(upload.remarks),
        upload.current,
        upload.stopped,
        upload.finished,
    )


def _is_table(name: str) -> bool:
    return name.lower().endswith((".csv", ".tsv"))


def _left_out(number: int) -> str:
    files = "1 file" if number == 1 else f"{number:,} files"
    return f"{files} beyond the limit of one upload left out; upload them next."
