"""Which backend reads a bundle: the one the settings name, else the fastest that can be trusted.

A backend is a module NAME_backend.py in this folder with a function

    readers(files: BundleFiles, *, exact: bool) -> Iterator[Reader]

that gives the network from its fastest to its most exact way of computing; where `exact`, in
float32 alone. The first that agrees with TensorFlow is used. HER2_BACKEND takes any NAME.
"""

from __future__ import annotations

import logging
import pkgutil
from importlib import import_module
from pathlib import Path

from her2core.models import backends
from her2core.models.backends.parity import largest_difference
from her2core.models.backends.reader import TOLERANCE, BackendError, Reader
from her2core.models.bundles.bundle_files import BundleFiles

_log = logging.getLogger(__name__)
_SUFFIX = "_backend"
_FASTEST, _REFERENCE = "openvino", "tensorflow"


def backend_names() -> tuple[str, ...]:
    """What HER2_BACKEND may be."""
    modules = (module.name for module in pkgutil.iter_modules(backends.__path__))
    return ("auto", *(name.removesuffix(_SUFFIX) for name in modules if name.endswith(_SUFFIX)))


def check_backend(name: str) -> None:
    """Refuse a name that stands for no backend.

    Raises:
        ValueError: one sentence with the names there are.
    """
    if name not in backend_names():
        known = ", ".join(backend_names())
        raise ValueError(f"Setting HER2_BACKEND must be one of {known}, not '{name}'.")


def open_reader(
    files: BundleFiles, backend: str, cache_dir: Path, *, exact: bool = False
) -> Reader:
    """The network of a bundle, ready to read.

    Args:
        files: the bundle.
        backend: one of `backend_names`. "auto" takes OpenVINO where it is installed and agrees with
            TensorFlow to 1e-3 in every probability, else TensorFlow.
        cache_dir: where a backend's parity with TensorFlow is recorded.
        exact: compute in float32 where the processor would be faster with less.

    Raises:
        BackendError: the backend that the settings name cannot be used, or there is none.
    """
    if backend not in backend_names():
        raise BackendError(f"There is no backend '{backend}'.")
    if backend != "auto":
        return _open(backend, files, cache_dir, exact)
    try:
        return _open(_FASTEST, files, cache_dir, exact)
    except BackendError as error:
        _log.warning("%s Another backend reads with %s.", error, files.card.model_id)
        return _open(_REFERENCE, files, cache_dir, exact)


def _open(name: str, files: BundleFiles, cache_dir: Path, exact: bool) -> Reader:
    try:
        # Here only: each brings its library in.
        module = import_module(f"{backends.__name__}.{name}{_SUFFIX}")
    except ImportError as error:  # also where a system library is missing
        raise BackendError(f"{name} is not installed, or cannot be loaded here.") from error
    difference = 0.0
    for reader in module.readers(files, exact=exact):
        opened: Reader = reader
        if name == _REFERENCE:
            return opened
        difference = largest_difference(files, opened, cache_dir)
        if difference <= TOLERANCE:
            return opened
    raise BackendError(
        f"{name} differs from TensorFlow by {difference:.2g} in a probability of "
        f"{files.card.model_id}, more than the {TOLERANCE:g} allowed."
    )
