"""Weights that a training starts from: those of an earlier stage, or of a finished bundle.

A lab rarely has enough patches to train a network from nothing; it takes a bundle that already
knows membranes and trains on with its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from her2core.models.bundle_files import read_files
from her2core.models.card import BundleError
from her2core.training.checkpoint import load_weights


def load_start(model: Any, start: Path, architecture: str) -> None:
    """Put weights to start from into a network.

    Args:
        model: keras.Model of that architecture; DenseNet121 of any input size.
        start: a keras weights file, e.g. a run's best.weights.h5, or the folder of a model bundle,
            whose checksums are verified.
        architecture: registry name.

    Raises:
        BundleError: the bundle is damaged, or of another architecture.
        CheckpointError: the file is missing, damaged or of another network.
    """
    if not start.is_dir():
        load_weights(model, start)
        return
    files = read_files(start)
    if files.card.architecture != architecture:
        raise BundleError(
            f"The bundle “{start.name}” is a {files.card.architecture}, which cannot be the start "
            f"of a {architecture}."
        )
    for weight in model.weights:
        weight.assign(files.tensors[weight.path].astype(np.float32))
