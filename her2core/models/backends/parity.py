"""Whether a backend gives TensorFlow's answers on a bundle's own patches, tried before it is used.

The logits TensorFlow gave are kept in the bundle since it was written; for an older bundle they
are computed once, which needs TensorFlow. The difference is written into the cache folder for these
weights, this backend and this processor (on which the precision depends), so that later starts
need not try again. A note that is damaged or about something else counts for nothing.
"""

import hashlib
import json
import logging
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from her2core.common.files import write_atomically
from her2core.models.backends.reader import Floats, Reader
from her2core.models.bundles.bundle_files import CHECKED_PATCHES, BundleFiles
from her2core.models.temperature import probabilities

_log = logging.getLogger(__name__)
# counted up whenever a backend computes otherwise than before: earlier notes say nothing about it
_REVISION = 4
Facts = Mapping[str, object]


def largest_difference(files: BundleFiles, reader: Reader, cache_dir: Path) -> float:
    """The largest difference of any probability from TensorFlow's, tried once and remembered.

    Args:
        files: the bundle.
        reader: its network in another backend.
        cache_dir: where notes are kept; that it cannot be written costs only time.
    """
    card = files.card
    trial = {
        "model_id": card.model_id,
        "weights_sha256": card.weights_sha256,
        "temperature": card.temperature,
        "backend": reader.backend,
        "processor": processor(),
        "revision": _REVISION,
    }
    note = cache_dir / f"parity-{card.model_id}-{_digest(trial)[:16]}.json"
    known = _noted(note, trial)
    if known is not None:
        return known
    reference = _reference(files)
    patches = files.background[: len(reference)].astype(np.float32) / np.float32(255)
    difference = float(np.abs(reader.read(patches).probabilities - reference).max())
    _write(note, trial, difference)
    return difference


@cache
def processor() -> str:
    """What the processor calls itself and can do, as far as it tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    telling = [line for line in lines if line.startswith(("model name", "flags"))]
    return _digest(telling[:2])[:16]


def _reference(files: BundleFiles) -> Floats:
    """TensorFlow's temperature-scaled probabilities of the first background patches."""
    logits = files.logits
    if logits is None:
        from her2core.models.bundles.bundle import as_keras, plain_logits

        logits = plain_logits(as_keras(files).model, files.background[:CHECKED_PATCHES])
    return probabilities(logits, files.card.temperature).astype(np.float32)


def _noted(note: Path, trial: Facts) -> float | None:
    try:
        data = json.loads(note.read_text(encoding="utf-8"))
        difference = float(data["largest_difference"])
        whole = data["sha256"] == _digest([trial, difference])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return difference if whole else None


def _write(note: Path, trial: Facts, difference: float) -> None:
    seal = _digest([trial, difference])
    data = {"trial": trial, "largest_difference": difference, "sha256": seal}
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(note, json.dumps(data, indent=2).encode("utf-8"))
    except OSError:
        _log.warning("The backend's parity could not be recorded; it is tried again next time.")


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8")).hexdigest()
