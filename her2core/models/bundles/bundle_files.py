"""The files of a model bundle, read and verified. Free of any framework.

weights.safetensors holds every weight under its path in the model, matrices and kernels as float16
(half the size; widened to float32 in memory), vectors such as biases and batch-norm statistics as
float32. background.safetensors holds the patches against which SHAP explains, and the logits that
TensorFlow gave for the first of them when the bundle was written: another backend has to reproduce
them before it is used. card.json holds the sha256 of both. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from her2core.models.architectures import ARCHITECTURES
from her2core.models.architectures.description import LOGITS
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard

WEIGHTS_FILE = "weights.safetensors"
BACKGROUND_FILE = "background.safetensors"
BACKGROUND_KEY, LOGITS_KEY = "background", "logits"
MAX_BACKGROUND = 200
CHECKED_PATCHES = 8

Tensors = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class BundleFiles:
    """What a bundle's files hold.

    Attributes:
        folder: where they lie.
        card: the model card.
        tensors: every weight, float16 or float32, of the shapes the architecture has.
        background: uint8 (k, 224, 224, 3), the patches SHAP explains against.
        logits: float32 (m, 4), TensorFlow's for the first m of them; None in bundles written
            before these were kept.
    """

    folder: Path
    card: ModelCard
    tensors: Tensors = field(repr=False)
    background: npt.NDArray[np.uint8] = field(repr=False)
    logits: npt.NDArray[np.float32] | None = field(repr=False)

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """(h, w, c) of the last feature map."""
        return ARCHITECTURES[self.card.architecture].feature_shape


def read_files(folder: Path) -> BundleFiles:
    """Read a bundle after verifying both checksums.

    Raises:
        BundleError: a file is missing or not the one the card was written for, or the weights do
            not fit the architecture.
    """
    name = folder.name
    card = ModelCard.read(folder / CARD_FILE)
    if card.architecture not in ARCHITECTURES:
        refuse(name, "its architecture is not known here")
    tensors = _read(folder / WEIGHTS_FILE, card.weights_sha256)
    stored = _read(folder / BACKGROUND_FILE, card.background_sha256)
    check_tensors(tensors, card.architecture, name)
    if card.adapted is not None and card.adapted.frozen_sha256 != frozen_digest(tensors):
        refuse(name, f"its layers are not those of {card.adapted.base}, which its card names")
    if ARCHITECTURES[card.architecture].parameters != card.parameters:
        refuse(name, f"its card counts {card.parameters:,} parameters, the network has others")
    background = checked_background(stored.get(BACKGROUND_KEY), name)
    return BundleFiles(folder, card, tensors, background, _checked_logits(stored, name))


def refuse_taken(folder: Path) -> None:
    """Refuse a place for a bundle where something stands.

    Raises:
        BundleError: it does.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(f"“{folder}” already holds files; name a new folder for the bundle.")


def write_files(files: BundleFiles, extra: Mapping[str, bytes] = MappingProxyType({})) -> ModelCard:
    """Write a bundle; the folder appears complete or not at all.

    Args:
        files: what to write and where to; its card without `parameters` and the sums of weights
            and background, which are filled in here.
        extra: further files, by name.

    Returns:
        The card as written.

    Raises:
        BundleError: the folder holds something, or the card cannot be kept.
        OSError: it cannot be written.
    """
    folder, background = files.folder, {BACKGROUND_KEY: np.ascontiguousarray(files.background)}
    refuse_taken(folder)
    if files.logits is not None:
        background[LOGITS_KEY] = np.ascontiguousarray(files.logits)
    weights_bytes, background_bytes = save(dict(files.tensors)), save(background)
    finished = replace(
        files.card,
        parameters=ARCHITECTURES[files.card.architecture].parameters,
        weights_sha256=hashlib.sha256(weights_bytes).hexdigest(),
        background_sha256=hashlib.sha256(background_bytes).hexdigest(),
    )
    text = finished.to_json()
    if ModelCard.from_json(text, folder.name) != finished:  # raises where it would not be readable
        raise BundleError(
            f"The card of bundle “{folder.name}” does not survive writing; check its types."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        partial.chmod(0o755)
        (partial / WEIGHTS_FILE).write_bytes(weights_bytes)
        (partial / BACKGROUND_FILE).write_bytes(background_bytes)
        for name, data in extra.items():
            (partial / name).write_bytes(data)
        (partial / CARD_FILE).write_text(text, encoding="utf-8")
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return finished


def frozen_digest(tensors: Tensors) -> str:
    """sha256 over every weight but those of the last layer, which is all that adapting changes."""
    digest = hashlib.sha256()
    for path in sorted(tensors):
        if not path.startswith(f"{LOGITS}/"):
            tensor = np.ascontiguousarray(tensors[path])
            digest.update(f"{path} {tensor.dtype} {tensor.shape}\n".encode())
            digest.update(tensor.tobytes())
    return digest.hexdigest()


def check_tensors(tensors: Tensors, architecture: str, bundle: str) -> None:
    """Refuse weights that are not those of the architecture.

    Raises:
        BundleError: a weight is missing, odd, of another shape or kind, or holds no numbers.
    """
    expected = ARCHITECTURES[architecture].weights
    if tensors.keys() != expected.keys():
        odd = sorted(tensors.keys() ^ expected.keys())[0][:80]
        refuse(bundle, f"its weights are not those of this architecture (see {odd})")
    for path, shape in expected.items():
        tensor = tensors[path]
        if tensor.shape != shape or tensor.dtype not in (np.float16, np.float32):
            refuse(bundle, f"weight {path} has shape {tensor.shape} instead of {shape}")
        if not np.isfinite(tensor).all():
            refuse(bundle, f"weight {path} holds values that are no numbers")


def checked_background(
    background: npt.NDArray[np.generic] | None, bundle: str
) -> npt.NDArray[np.uint8]:
    """The background, if it is one.

    Raises:
        BundleError: it is not.
    """
    if background is None or background.dtype != np.uint8:
        refuse(bundle, "its SHAP background does not hold uint8 pixels")
    if background.shape[1:] != (224, 224, 3) or not 1 <= len(background) <= MAX_BACKGROUND:
        refuse(bundle, f"its SHAP background is not 1 to {MAX_BACKGROUND} patches of 224 pixels")
    return background.astype(np.uint8, copy=False)


def refuse(bundle: str, reason: str) -> NoReturn:
    """Raise BundleError with one sentence."""
    raise BundleError(
        f"Model bundle “{bundle}” cannot be used: {reason}; copy the whole bundle again or choose "
        "another one."
    )


def _checked_logits(stored: Tensors, bundle: str) -> npt.NDArray[np.float32] | None:
    logits = stored.get(LOGITS_KEY)
    if logits is None:
        return None
    fits = logits.ndim == 2 and logits.shape[1] == 4 and logits.dtype == np.float32
    if not fits or not 1 <= len(logits) <= len(stored[BACKGROUND_KEY]):
        refuse(bundle, "the logits beside its SHAP background are not four for a patch")
    if not np.isfinite(logits).all():
        refuse(bundle, "the logits beside its SHAP background hold values that are no numbers")
    return logits.astype(np.float32, copy=False)


def verified_bytes(path: Path, sha256: str) -> bytes:
    """A file of a bundle, read once: what was verified is what is used.

    Raises:
        ValueError: a phrase on why it is not the file of this sum.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path.name} is missing") from None
    except OSError:
        raise ValueError(f"{path.name} cannot be read") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{path.name} is not the file its card was written for")
    return data


def _read(path: Path, sha256: str) -> dict[str, npt.NDArray[np.generic]]:
    """The tensors of a file whose bytes have this sha256."""
    try:
        tensors: dict[str, npt.NDArray[np.generic]] = load(verified_bytes(path, sha256))
    except SafetensorError:
        refuse(path.parent.name, f"{path.name} is not a safetensors file")
    except ValueError as error:
        refuse(path.parent.name, str(error))
    return tensors
