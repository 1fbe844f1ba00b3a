"""A trained network on disk: a folder of plain tensors and a card, checked byte by byte.

weights.safetensors holds every weight under its path in the model, matrices and kernels as float16
(half the size; loaded back into float32), vectors such as biases and batch-norm statistics as
float32. background.safetensors holds the patches against which SHAP explains. card.json holds the
sha256 of both. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

# Before keras brings TensorFlow in, which otherwise greets every server start with its build flags.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from her2core.models.card import CARD_FILE, BundleError, ModelCard
from her2core.models.registry import ARCHITECTURES

__all__ = ["Bundle", "BundleError", "load_bundle", "write_bundle"]

WEIGHTS_FILE = "weights.safetensors"
BACKGROUND_FILE = "background.safetensors"
_BACKGROUND_KEY = "background"
_MAX_BACKGROUND = 200


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes:
        card: its model card.
        model: keras.Model with float32 weights.
        background: uint8 (k, 224, 224, 3), the patches SHAP explains against.
    """

    card: ModelCard
    model: keras.Model = field(repr=False)
    background: npt.NDArray[np.uint8] = field(repr=False)


def write_bundle(
    model: keras.Model, card: ModelCard, folder: Path, background: npt.NDArray[np.uint8]
) -> ModelCard:
    """Write a bundle; the folder appears complete or not at all.

    Weights are rounded to float16, so measure a model's figures on the bundle loaded back.

    Args:
        model: a model of the card's architecture.
        card: everything but `parameters` and the two sha256 sums, which are filled in here.
        folder: where to; it must not exist, or be empty.
        background: uint8 (k, 224, 224, 3) with 1 to 200 patches; about 16 are enough for SHAP.

    Returns:
        The card as written.

    Raises:
        BundleError: the folder holds something, the model is not of the card's architecture, or a
            value cannot be kept.
    """
    name = folder.name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BundleError(f"“{folder}” already holds files; name a new folder for the bundle.")
    fresh = _build(card.architecture, name)
    tensors = {weight.path: _compact(weight.numpy(), weight.path, name) for weight in model.weights}
    _check_tensors(tensors, fresh, name)
    background = _checked_background(background, name)
    weights_bytes = save(tensors)
    background_bytes = save({_BACKGROUND_KEY: np.ascontiguousarray(background)})
    finished = replace(
        card,
        parameters=int(model.count_params()),
        weights_sha256=hashlib.sha256(weights_bytes).hexdigest(),
        background_sha256=hashlib.sha256(background_bytes).hexdigest(),
        novelty=None,  # other weights know other patches: training.add_novelty measures them anew
    )
    text = finished.to_json()
    if ModelCard.from_json(text, name) != finished:  # raises where the card would not be readable
        raise BundleError(f"The card of bundle “{name}” does not survive writing; check its types.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        partial.chmod(0o755)
        (partial / WEIGHTS_FILE).write_bytes(weights_bytes)
        (partial / BACKGROUND_FILE).write_bytes(background_bytes)
        (partial / CARD_FILE).write_text(text, encoding="utf-8")
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return finished


def load_bundle(folder: Path) -> Bundle:
    """Load a bundle after verifying both checksums.

    Raises:
        BundleError: a file is missing or not the one the card was written for, or the weights do
            not fit the architecture.
    """
    name = folder.name
    card = ModelCard.read(folder / CARD_FILE)
    model = _build(card.architecture, name)
    tensors = _read(folder / WEIGHTS_FILE, card.weights_sha256)
    stored = _read(folder / BACKGROUND_FILE, card.background_sha256)
    _check_tensors(tensors, model, name)
    if int(model.count_params()) != card.parameters:
        _refuse(name, f"its card counts {card.parameters:,} parameters, the network has others")
    background = _checked_background(stored.get(_BACKGROUND_KEY), name)
    for weight in model.weights:
        weight.assign(tensors[weight.path].astype(np.float32))
    return Bundle(card, model, background)


def _refuse(bundle: str, reason: str) -> NoReturn:
    raise BundleError(
        f"Model bundle “{bundle}” cannot be used: {reason}; copy the whole bundle again or choose "
        "another one."
    )


def _build(architecture: str, bundle: str) -> keras.Model:
    if architecture not in ARCHITECTURES:
        _refuse(bundle, "its architecture is not known here")
    return ARCHITECTURES[architecture].build()


def _read(path: Path, sha256: str) -> dict[str, npt.NDArray[np.generic]]:
    """The tensors of a file whose bytes have this sha256."""
    bundle = path.parent.name
    try:
        data = path.read_bytes()  # once: what was verified is what is used
    except FileNotFoundError:
        _refuse(bundle, f"{path.name} is missing")
    except OSError:
        _refuse(bundle, f"{path.name} cannot be read")
    if hashlib.sha256(data).hexdigest() != sha256:
        _refuse(bundle, f"{path.name} is not the file its card was written for")
    try:
        tensors: dict[str, npt.NDArray[np.generic]] = load(data)
    except SafetensorError:
        _refuse(bundle, f"{path.name} is not a safetensors file")
    return tensors


def _compact(
    values: npt.NDArray[np.float32], path: str, bundle: str
) -> npt.NDArray[np.float16] | npt.NDArray[np.float32]:
    if values.ndim < 2:
        return values.astype(np.float32)
    if np.abs(values).max(initial=0.0) > np.finfo(np.float16).max:
        raise BundleError(f"Bundle “{bundle}” cannot be written: {path} is too large for float16.")
    return values.astype(np.float16)


def _check_tensors(
    tensors: Mapping[str, npt.NDArray[np.generic]], model: keras.Model, bundle: str
) -> None:
    expected = {weight.path: tuple(weight.shape) for weight in model.weights}
    if tensors.keys() != expected.keys():
        odd = sorted(tensors.keys() ^ expected.keys())[0][:80]
        _refuse(bundle, f"its weights are not those of this architecture (see {odd})")
    for path, shape in expected.items():
        tensor = tensors[path]
        if tensor.shape != shape or tensor.dtype not in (np.float16, np.float32):
            _refuse(bundle, f"weight {path} has shape {tensor.shape} instead of {shape}")
        if not np.isfinite(tensor).all():
            _refuse(bundle, f"weight {path} holds values that are no numbers")


def _checked_background(
    background: npt.NDArray[np.generic] | None, bundle: str
) -> npt.NDArray[np.uint8]:
    if background is None or background.dtype != np.uint8:
        _refuse(bundle, "its SHAP background does not hold uint8 pixels")
    if background.shape[1:] != (224, 224, 3) or not 1 <= len(background) <= _MAX_BACKGROUND:
        _refuse(bundle, f"its SHAP background is not 1 to {_MAX_BACKGROUND} patches of 224 pixels")
    return background.astype(np.uint8, copy=False)
