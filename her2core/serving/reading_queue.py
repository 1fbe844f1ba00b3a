"""Reads waiting patches in the background, one after another, so that no page waits for a batch.

The patch in front of the reviewer is read by the page itself; this queue only fills the rest of the
worklist. One thread per server. What was not read when the server stopped is found again by
`refill`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from her2core.preprocessing.image_store import Images
from her2core.preprocessing.patches import Patch, PatchError
from her2core.reviews import worklist_queries
from her2core.reviews.derived import patches_by
from her2core.reviews.store import ReviewStore, StoreError
from her2core.serving.stain_service import StainReader
from her2core.serving.workbench import NoModelError, Workbench
from her2core.stain.thresholds import StainThresholds

# how long the readings of a patch wait before they are tried again at a database that is away
_AWAY_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QueueState:
    """How far the reading is.

    Attributes:
        waiting: patches still to be read.
        done: patches read since the queue was last empty.
    """

    waiting: int
    done: int


class ReadingQueue:
    """A background thread from sha256 to recorded readings. Safe to use from several threads."""

    def __init__(
        self,
        workbench: Workbench,
        images: Images,
        store: ReviewStore,
        stain: StainReader | None = None,
    ) -> None:
        """Nothing is read yet.

        Args:
            workbench: the models.
            images: where the patches are.
            store: where readings go.
            stain: the third reader; None: one with the default thresholds.
        """
        self.stain = stain or StainReader(StainThresholds())
        self._workbench = workbench
        self._images = images
        self._store = store
        self._waiting: OrderedDict[str, str] = OrderedDict()
        self._changed = threading.Condition()
        self._done = 0
        self._thread: threading.Thread | None = None

    def add(self, sha256: str, name: str) -> None:
        """Queue a patch; one that already waits keeps its place."""
        with self._changed:
            if not self._waiting:
                self._done = 0
            self._waiting.setdefault(sha256, name)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="reading", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def refill(self) -> None:
        """Queue every patch of the store that a reader in use has not read; waits for the models.

        Asked at the start and whenever another model is put in use: what an earlier one said is
        not to be taken for the present one's. Patches never read come first.
        """
        self._add_unread({})
        self._add_unread(self._workbench.wait().model_ids)

    def state(self) -> QueueState:
        """How many patches wait and how many are read."""
        with self._changed:
            return QueueState(len(self._waiting), self._done)

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is left to read; False when `timeout` seconds were not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout)

    def _add_unread(self, models: Mapping[str, str]) -> None:
        """Queue what one of these models (architecture -> id) or the third reader has not read.

        Where none is named, a verdict of any model will do.
        """
        number = self._store.derived(patches_by(models))
        with self._store.reading() as session:
            unread = worklist_queries.unread(session, number)
        for sha256, name in unread:
            # an image that was deleted after its time can be read by nobody any more
            if self._images.has(sha256):
                self.add(sha256, name)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                sha256, name = next(iter(self._waiting.items()))
            if not self._read(sha256, name):
                # However long the database is away, nothing is given up; the models keep their
                # work. The next patch gets its turn, lest one that is refused holds up all.
                with self._changed:
                    self._waiting.move_to_end(sha256)
                time.sleep(_AWAY_SECONDS)
                continue
            with self._changed:
                self._waiting.pop(sha256, None)
                self._done += 1
                self._changed.notify_all()

    def _read(self, sha256: str, name: str) -> bool:
        """Read one patch; whatever goes wrong with it, the next one gets its turn.

        Returns:
            False where the store did not answer, so that it is worth trying again.
        """
        try:
            patch: Patch = self._images.load(sha256, name)
            # first: it needs no model, so that a server without bundles still has its third reader
            self._store.record_stain(sha256, patch.square, self.stain.reading(patch))
            for _ in range(2):
                verdicts = self._workbench.verdicts(patch)
                self._store.record_verdicts(sha256, patch.square, verdicts)
                read_by = {verdict.architecture: verdict.model_id for verdict in verdicts}
                if read_by == self._workbench.state().model_ids:
                    break  # else a model was exchanged meanwhile
        except StoreError as error:
            _log.warning("Patch %s waits for the review store: %s", sha256[:12], error)
            return False
        except (PatchError, NoModelError) as error:
            # The sentence names the file, and a file's name may be a patient's.
            _log.warning("Patch %s was not read (%s)", sha256[:12], type(error).__name__)
        except Exception:
            _log.exception("Patch %s could not be read", sha256[:12])
        return True
