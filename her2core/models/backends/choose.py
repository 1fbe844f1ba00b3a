"""Which backend reads a bundle: the one the settings name, else the fastest that can be trusted."""

from __future__ import annotations

import logging
from pathlib import Path

from her2core.models.backends.parity import largest_difference
from her2core.models.backends.reader import TOLERANCE, BackendError, Reader
from her2core.models.bundles.bundle_files import BundleFiles
from her2core.settings import Backend

_log = logging.getLogger(__name__)


def open_reader(
    files: BundleFiles, backend: Backend, cache_dir: Path, *, exact: bool = False
) -> Reader:
    """The network of a bundle, ready to read.

    Args:
        files: the bundle.
        backend: "auto" takes OpenVINO where it is installed and agrees with TensorFlow to 1e-3 in
            every probability, else TensorFlow; the others are taken at their word.
        cache_dir: where a backend's parity with TensorFlow is recorded.
        exact: compute in float32 where the processor would be faster with less.

    Raises:
        BackendError: the backend that the settings name cannot be used.
    """
    if backend != "tensorflow":
        try:
            return _open_openvino(files, cache_dir, exact)
        except BackendError as error:
            if backend == "openvino":
                raise
            _log.warning("%s TensorFlow reads with %s.", error, files.card.model_id)
    # Here only: it brings TensorFlow in.
    from her2core.models.bundles.bundle import as_keras
    from her2core.models.classifier import Classifier

    return Classifier(as_keras(files))


def _open_openvino(files: BundleFiles, cache_dir: Path, exact: bool) -> Reader:
    try:
        from her2core.models.backends.openvino_reader import OpenVinoReader
    except ImportError as error:  # also where a system library is missing
        raise BackendError("OpenVINO is not installed, or cannot be loaded here.") from error

    difference = 0.0
    for full in (True,) if exact else (False, True):
        reader = OpenVinoReader(files, exact=full)
        difference = largest_difference(files, reader, cache_dir)
        if difference <= TOLERANCE:
            return reader
    raise BackendError(
        f"OpenVINO differs from TensorFlow by {difference:.2g} in a probability of "
        f"{files.card.model_id}, more than the {TOLERANCE:g} allowed."
    )
