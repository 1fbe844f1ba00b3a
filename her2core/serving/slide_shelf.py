"""The slides of a server: what lies in its folder or was uploaded, read in the background.

One slide is read at a time, by processes of their own, so that pages stay quick; what is read shows
while it goes on. Readings are kept (`slide_runs`), so that a slide read before opens at once. A
browser never names a path: slides are known by ids of what this server itself has found.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from her2core.common.files import new_file, remove_unfinished
from her2core.common.parallel import cores
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.card import BundleError
from her2core.preprocessing.patches import safe_name
from her2core.preprocessing.picture_files import no_data
from her2core.serving.slide_pictures import SlidePictures
from her2core.serving.slide_runs import Progress, SlideJob, known_reading, options_of, read_slides
from her2core.serving.slide_tasks import SlideOptions
from her2core.serving.worker_processes import WorkerProcesses
from her2core.settings import Settings
from her2core.slides.folder import SLIDE_ENDINGS, each_once
from her2core.slides.plan import DEFAULT_UM
from her2core.slides.readings import SlideReading

_MOST_LISTED = 2000
_BLOCK = 2**20
_log = logging.getLogger(__name__)

Phase = Literal["unread", "waiting", "reading", "read", "failed"]


class _StoppedError(Exception):
    """Somebody has stopped the reading."""


@dataclass(frozen=True)
class ShelfSlide:
    """A slide that this server may read: its id, its name for people, its file."""

    key: str
    name: str
    path: Path


@dataclass(frozen=True)
class SlideState:
    """How far a slide is.

    Attributes:
        phase: what is being done with it.
        reading: what is read of it, perhaps not all yet; None before anything is.
        total: regions it will have, 0 while that is not known.
        message: why it failed, one sentence.
    """

    phase: Phase
    reading: SlideReading | None = None
    total: int = 0
    message: str = ""


class SlideShelf:
    """The slides of one server and the thread that reads them. Safe to use from several threads.

    Attributes:
        pictures: of the slides, for pages.
    """

    def __init__(self, settings: Settings) -> None:
        """Nothing is read yet."""
        self._settings = settings
        self._uploads = settings.home / "slides" / "files"
        self._kept = settings.home / "slides" / "readings"
        self.pictures = SlidePictures()
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, ShelfSlide] = OrderedDict()
        self._states: dict[str, SlideState] = {}
        self._listed: dict[str, ShelfSlide] = {}
        self._current: str | None = None
        self._stopped: set[str] = set()
        self._thread: threading.Thread | None = None

    def listing(self) -> tuple[ShelfSlide, ...]:
        """The slides of the server's folder, then those uploaded, each by name."""
        slides = _slides_below(self._settings.slide_dir) if self._settings.slide_dir else []
        slides += _slides_below(self._uploads)
        with self._lock:
            self._listed = {slide.key: slide for slide in slides}
        return tuple(slides)

    def find(self, key: str) -> ShelfSlide | None:
        """The slide with this id."""
        # the folders are looked through for a new one only: each tile of a picture asks
        with self._lock:
            known = self._listed.get(key)
        return known or next((slide for slide in self.listing() if slide.key == key), None)

    def keep(self, file: BinaryIO, name: str) -> ShelfSlide:
        """Keep an uploaded slide; the same file again is the same slide.

        Raises:
            OSError: there is no room, or the folder may not be written to.
        """
        digest = hashlib.sha256()
        file.seek(0)
        while block := file.read(_BLOCK):
            digest.update(block)
        folder = self._uploads / digest.hexdigest()
        path = folder / safe_name(name)
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            remove_unfinished(folder)
            file.seek(0)
            with new_file(path) as target:
                while block := file.read(_BLOCK):
                    target.write(block)
        return ShelfSlide(_key(self._uploads, path), path.name, path)

    def state(self, slide: ShelfSlide) -> SlideState:
        """How far this slide is; one that was read before is read."""
        with self._lock:
            known = self._states.get(slide.key)
        if known is None:
            try:
                reading = known_reading(SlideJob(slide.path), self.options(), self._kept)
            except (BundleError, OSError):
                reading = None
            known = SlideState("unread" if reading is None else "read", reading)
            if reading is not None:
                with self._lock:
                    known = self._states.setdefault(slide.key, known)
        return known

    def options(self) -> SlideOptions:
        """How slides are read here.

        Raises:
            BundleError: a network cannot be used.
        """
        return options_of(self._settings, tuple(ARCHITECTURES), DEFAULT_UM, None)

    def start(self, slide: ShelfSlide) -> None:
        """Have a slide read after those that wait already; returns at once."""
        with self._lock:
            if slide.key in self._waiting or slide.key == self._current:
                return
            self._stopped.discard(slide.key)
            self._waiting[slide.key] = slide
            self._states[slide.key] = SlideState("waiting")
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="slides", daemon=True)
                self._thread.start()

    def stop(self, slide: ShelfSlide) -> None:
        """Stop reading a slide; what is read of it is kept for the next start."""
        with self._lock:
            self._stopped.add(slide.key)
            if self._waiting.pop(slide.key, None) is not None:
                self._states.pop(slide.key, None)

    def _run(self) -> None:
        """Read what waits, one after another, then end with the processes."""
        workers = max(1, cores() - 1)
        with WorkerProcesses(workers) as pool:
            while True:
                with self._lock:
                    if not self._waiting:
                        self._thread = None
                        return
                    key, slide = self._waiting.popitem(last=False)
                    self._current = key
                self._read(slide, pool, workers)
                with self._lock:
                    self._current = None

    def _read(self, slide: ShelfSlide, pool: WorkerProcesses, workers: int) -> None:
        """Read one slide; whatever goes wrong with it, the next one gets its turn."""

        def watch(progress: Progress) -> None:
            with self._lock:
                if slide.key in self._stopped:
                    raise _StoppedError
                self._states[slide.key] = SlideState("reading", progress.reading, progress.total)

        self._set(slide, SlideState("reading"))
        try:
            jobs = [SlideJob(slide.path)]
            for one in read_slides(jobs, self.options(), pool, workers, self._kept, watch):
                done = SlideState("failed", message=one.message)
                if one.reading is not None:
                    done = SlideState("read", one.reading, len(one.reading.regions))
                self._set(slide, done)
        except _StoppedError:
            with self._lock:
                self._states.pop(slide.key, None)
        except BundleError as error:
            self._set(slide, SlideState("failed", message=str(error)))
        except Exception:
            _log.exception("A slide could not be read")
            sentence = "could not be read here; the server's log says why."
            self._set(slide, SlideState("failed", message=f"“{slide.name}” {sentence}"))

    def _set(self, slide: ShelfSlide, state: SlideState) -> None:
        with self._lock:
            self._states[slide.key] = state


def _slides_below(folder: Path) -> list[ShelfSlide]:
    """The slides in a folder and its subfolders; no link leads out of it."""
    root = folder.resolve()
    slides = [
        path
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in SLIDE_ENDINGS
        and not any(map(no_data, path.relative_to(root).parts))
        and path.is_file()
        and path.resolve().is_relative_to(root)
    ]
    listed = each_once(slides, root)[:_MOST_LISTED]
    return [ShelfSlide(_key(root, path), safe_name(path.name), path) for path in listed]


def _key(root: Path, path: Path) -> str:
    place = path.resolve().relative_to(root.resolve()).as_posix()
    return hashlib.sha256(f"{root.resolve()}\0{place}".encode()).hexdigest()[:16]
