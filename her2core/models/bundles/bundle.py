"""A trained network written to disk and loaded back as a keras model.

What the files hold, and how they are verified, is in `bundle_files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np
import numpy.typing as npt

from her2core.models.architectures import ARCHITECTURES
from her2core.models.architectures.keras_model import build
from her2core.models.bundles.bundle_files import (
    CHECKED_PATCHES,
    BundleFiles,
    Tensors,
    check_tensors,
    checked_background,
    read_files,
    refuse,
    refuse_taken,
    write_files,
)
from her2core.models.bundles.card import ModelCard
from her2core.models.bundles.compact import compact

# Streamlit calls this after every run of a page, for scripts that build their networks anew each
# time. Here networks are built in other threads meanwhile and live as long as the server: clearing
# takes the names from under one being built, which then fails, and collects all of TensorFlow's
# garbage. Whoever means it calls keras.utils.clear_session.
keras.backend.clear_session = lambda free_memory=True: None

_AT_ONCE = 8


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
    model: keras.Model,
    card: ModelCard,
    folder: Path,
    background: npt.NDArray[np.uint8],
    extra: Mapping[str, bytes] = MappingProxyType({}),
) -> ModelCard:
    """Write a bundle; the folder appears complete or not at all.

    Weights are rounded (see `compact`), so measure a model's figures on the bundle loaded back.

    Args:
        model: a model of the card's architecture.
        card: everything but `parameters` and the two sha256 sums, which are filled in here.
        folder: where to; it must not exist, or be empty.
        background: uint8 (k, 224, 224, 3) with 1 to 200 patches; about 16 are enough for SHAP.
        extra: the further files that the card names, by name. Without them it names none: other
            weights know other patches.

    Returns:
        The card as written.

    Raises:
        BundleError: the folder holds something, the model is not of the card's architecture, or a
            value cannot be kept.
    """
    files, _ = round_weights(model, card, folder, background)
    named = card if extra else replace(card, novelty=None, provenance=None)
    return write_files(replace(files, card=named), extra)


def round_weights(
    model: keras.Model, card: ModelCard, folder: Path, background: npt.NDArray[np.uint8]
) -> tuple[BundleFiles, Bundle]:
    """A network as its bundle will keep it: the files, not written yet, and what they hold.

    Args and errors are those of `write_bundle`.
    """
    name = folder.name
    refuse_taken(folder)
    if card.architecture not in ARCHITECTURES:
        refuse(name, "its architecture is not known here")
    whole = {weight.path: weight.numpy() for weight in model.weights}
    check_tensors(whole, card.architecture, name)
    tensors = compact(whole, card.architecture, name)
    background = checked_background(background, name)
    kept = _with_weights(card.architecture, tensors)
    logits = plain_logits(kept, background[:CHECKED_PATCHES])
    files = BundleFiles(folder, card, tensors, background, logits)
    return files, Bundle(card, kept, background)


def load_bundle(folder: Path) -> Bundle:
    """Load a bundle after verifying both checksums.

    Raises:
        BundleError: a file is missing or not the one the card was written for, or the weights do
            not fit the architecture.
    """
    return as_keras(read_files(folder))


def as_keras(files: BundleFiles) -> Bundle:
    """The network of verified files as a keras model."""
    model = _with_weights(files.card.architecture, files.tensors)
    return Bundle(files.card, model, files.background)


def plain_logits(model: keras.Model, patches: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The logits (n, 4) of patches uint8 (n, 224, 224, 3), by the model as keras runs it.

    Compiled and a few at a time: run layer by layer, keras keeps every layer's output, which for
    32 patches of DenseNet121 is seven gigabytes.
    """
    to_logits = keras.Model(model.inputs[0], model.get_layer("logits").output)
    parts = [
        to_logits.predict_on_batch(part.astype(np.float32) / np.float32(255))
        for start in range(0, len(patches), _AT_ONCE)
        if len(part := patches[start : start + _AT_ONCE])
    ]
    return np.concatenate(parts).astype(np.float32, copy=False)


def _with_weights(architecture: str, tensors: Tensors) -> keras.Model:
    model = build(ARCHITECTURES[architecture])
    put_weights(model, tensors)
    return model


def put_weights(model: keras.Model, tensors: Tensors) -> None:
    """Put a bundle's tensors, verified before, into a network of its architecture of any size."""
    for weight in model.weights:
        weight.assign(tensors[weight.path].astype(np.float32))
