"""One stain measurement per patch and square for the whole server, made in the background.

The measurement takes a twentieth of a second for a usual patch and seconds for a large field, so
it is made once, kept, and asked for early: while the reviewer looks at the image.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from her2core.preprocessing.patches import Patch
from her2core.serving.cache import Recent
from her2core.stain.reading import StainReading, no_reading
from her2core.stain.report import MembraneReport, ScaleSource, measure_membranes
from her2core.stain.thresholds import StainThresholds

# larger fields take longer than a reviewer waits
LARGEST_SIDE = 3000
_READINGS_KEPT = 4096
# reports hold every outline
_REPORTS_KEPT = 64
_log = logging.getLogger(__name__)

Measured = tuple[StainReading, MembraneReport | None]
KnownScale = tuple[float, ScaleSource]  # micrometres per pixel, and how that is known


class StainReader:
    """Measures squares once and remembers. Safe to use from several threads."""

    def __init__(
        self,
        thresholds: StainThresholds,
        known_scale: Callable[[str], KnownScale | None] = lambda _: None,
    ) -> None:
        """Nothing is measured yet.

        Args:
            thresholds: what counts as stained.
            known_scale: of the image with this sha256; None: not known.
        """
        self.thresholds = thresholds
        self.known_scale = known_scale
        self._reports: Recent[str, MembraneReport] = Recent(_REPORTS_KEPT)
        self._readings: Recent[str, StainReading] = Recent(_READINGS_KEPT)
        self._lock = threading.Lock()
        self._running: dict[str, Future[Measured]] = {}
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="stain")

    def start(self, patch: Patch) -> None:
        """Measure the patch's square in the background unless it is known; returns at once."""
        if self._readings.get(patch.key) is None:
            self._ask(patch)

    def known(self, patch: Patch) -> StainReading | None:
        """The reading of the patch's square if it was made; returns at once."""
        return self._readings.get(patch.key)

    def reading(self, patch: Patch) -> StainReading:
        """The reading of the patch's square; measures it where nobody has.

        A square that cannot be measured gives a reading without a score that says why.
        """
        return self._readings.get(patch.key) or self._ask(patch).result()[0]

    def report(self, patch: Patch) -> MembraneReport | None:
        """The full report of the patch's square, to be drawn; None where it was not measured."""
        kept = self._reports.get(patch.key)
        return kept if kept is not None else self._ask(patch).result()[1]

    def close(self) -> None:
        """Give up what still waits to be measured."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _ask(self, patch: Patch) -> Future[Measured]:
        with self._lock:
            running = self._running.get(patch.key)
            if running is None:
                running = self._running[patch.key] = self._workers.submit(self._measure, patch)
            return running

    def _measure(self, patch: Patch) -> Measured:
        report = None
        try:
            if patch.square.size > LARGEST_SIDE:
                reading = no_reading(
                    f"The square is wider than {LARGEST_SIDE} pixels; choose a smaller part of the "
                    "image to have it measured.",
                    self.thresholds,
                )
            else:
                scale, source = self.known_scale(patch.sha256) or (None, None)
                report = measure_membranes(patch.field(), scale, self.thresholds)
                if source is not None:
                    report = replace(report, scale_source=source)
                self._reports.put(patch.key, report)
                reading = report.reading
        except Exception:
            # a missing third reader must not stop a review
            _log.exception("The stain of patch %s could not be measured", patch.sha256[:12])
            reading = no_reading("The stain could not be measured.", self.thresholds)
        self._readings.put(patch.key, reading)
        with self._lock:
            self._running.pop(patch.key, None)
        return reading, report
