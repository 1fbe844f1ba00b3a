"""The files of a model bundle, read and verified. Free of any framework.

weights.safetensors holds every weight under its path in the model, matrices and kernels as float16
(half the size; widened to float32 in memory), vectors such as biases and batch-norm statistics as
float32. background.safetensors holds the patches against which SHAP explains, and the logits that
TensorFlow gave for the first of them when the bundle was written: another backend has to reproduce
them before it is used. card.json holds the sha256 of both. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from her2core.models.architectures import ARCHITECTURES
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
    if ARCHITECTURES[card.architecture].parameters != card.parameters:
        refuse(name, f"its card counts {card.parameters:,} parameters, the network has others")
    background = checked_background(stored.get(BACKGROUND_KEY), name)
    return BundleFiles(folder, card, tensors, background, _checked_logits(stored, name))


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


def _read(path: Path, sha256: str) -> dict[str, npt.NDArray[np.generic]]:
    """The tensors of a file whose bytes have this sha256."""
    bundle = path.parent.name
    try:
        data = path.read_bytes()  # once: what was verified is what is used
    except FileNotFoundError:
        refuse(bundle, f"{path.name} is missing")
    except OSError:
        refuse(bundle, f"{path.name} cannot be read")
    if hashlib.sha256(data).hexdigest() != sha256:
        refuse(bundle, f"{path.name} is not the file its card was written for")
    try:
        tensors: dict[str, npt.NDArray[np.generic]] = load(data)
    except SafetensorError:
        refuse(bundle, f"{path.name} is not a safetensors file")
    return tensors
