"""The one set of services of this process, made once and closed by nobody but its end.

They are no cache of Streamlit's: what a browser can have cleared would be built again, models and
all, while others still use the former ones.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial

from her2core.common.files import remove_unfinished
from her2core.preprocessing.image_store import Images, open_images
from her2core.reviews.records import Origin
from her2core.reviews.store import ReviewStore, StoreError
from her2core.serving import logs
from her2core.serving.intake import Taken, take_in
from her2core.serving.reading_queue import ReadingQueue
from her2core.serving.slide_shelf import SlideShelf
from her2core.serving.stain_service import KnownScale, StainReader
from her2core.serving.uploads import Uploads
from her2core.serving.workbench import Workbench
from her2core.settings import Settings, load_settings

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_made: Services | None = None


@dataclass(frozen=True)
class Services:
    """What one server holds, shared by all sessions.

    Attributes:
        recorded: patch keys with the model ids whose verdicts are in the store, so that drawing a
            page does not write to it again.
        mapping: computes SHAP maps, so that the answer keys work while they take their seconds.
        quick_mapping: computes the others, which wait for no SHAP map.
        adapting: fits bundles to reviews, one at a time.
    """

    settings: Settings
    workbench: Workbench
    store: ReviewStore
    images: Images
    queue: ReadingQueue
    recorded: set[tuple[str, ...]] = field(default_factory=set)
    mapping: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="maps")
    )
    quick_mapping: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="quick-maps")
    )
    adapting: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="adapting")
    )

    @cached_property
    def slides(self) -> SlideShelf:
        """The slides of this server and who reads them."""
        return SlideShelf(self.settings)

    @cached_property
    def uploads(self) -> Uploads:
        """What browsers send, taken in in the background."""
        return Uploads(self.take_in, self.store, self.settings.limits)

    def take_in(self, data: bytes, name: str, origin: Origin | None = None) -> Taken:
        """Take a file into the workspace, and have it read where it is new; see `intake.take_in`.

        A picture of a whole slide is not read: its regions are.
        """
        taken = take_in(data, name, self.images, self.store, self.settings.limits, origin)
        if taken.outcome == "new" and taken.sha256 and not (origin and origin.whole):
            self.queue.add(taken.sha256, taken.name)
        return taken

    @property
    def stain(self) -> StainReader:
        """The third reader; one per server, shared with the queue."""
        return self.queue.stain


def services() -> Services:
    """The services of this process, made at the first call; models load in the background.

    Raises:
        ValueError: a setting is wrong.
        Exception: the review store cannot be opened; the next call tries again.
    """
    global _made
    with _lock:
        if _made is None:
            _made = _make()
        return _made


def _make() -> Services:
    settings = load_settings()
    logs.configure(settings.log_level)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    remove_unfinished(settings.home)  # left by a server that was killed
    store = ReviewStore(settings.database_url)
    images = open_images(settings)
    workbench = Workbench(settings)
    workbench.start_loading()
    stain = StainReader(settings.stain, partial(_known_scale, store))
    queue = ReadingQueue(workbench, images, store, stain)
    threading.Thread(target=_refill, args=(queue,), name="refill", daemon=True).start()
    return Services(settings, workbench, store, images, queue)


def _known_scale(store: ReviewStore, sha256: str) -> KnownScale | None:
    """The scale of a patch that was taken from a slide."""
    try:
        patch = store.patch(sha256)
    except StoreError:
        return None  # it is estimated then
    if patch is None or patch.origin is None:
        return None
    um_per_pixel = patch.origin.um_per_pixel * patch.origin.size / patch.width
    return um_per_pixel, "nuclei" if patch.origin.estimated else "given"


def _refill(queue: ReadingQueue) -> None:
    try:
        queue.refill()
    except Exception:
        _log.exception("The waiting patches could not be listed")
