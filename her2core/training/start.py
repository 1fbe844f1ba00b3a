"""Weights that a training starts from: those of an earlier stage, or of a finished bundle.

A lab rarely has enough patches to train a network from nothing; it takes a bundle that already
knows membranes and trains on with its own.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from her2core.models.bundles.bundle_files import BundleFiles, read_files
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard
from her2core.preprocessing.patches import MODEL_SIDE
from her2core.training.checkpoint import load_weights
from her2core.training.data.datasets import load_patches
from her2core.training.data.duplicates import fingerprints, joined
from her2core.training.data.prepare import Prepared
from her2core.training.data.splits import LEFT_OUT, TEST, TRAIN, VALIDATION
from her2core.training.provenance import Provenance, provenance_from

_START = "the weights that were started from"


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
    from her2core.models.bundles.bundle import put_weights

    put_weights(model, files_of_start(start, architecture).tensors)


def files_of_start(start: Path, architecture: str) -> BundleFiles:
    """What the folder of a bundle to start from holds.

    Raises:
        BundleError: the bundle is damaged, or of another architecture.
    """
    files = read_files(start)
    if files.card.architecture != architecture:
        raise BundleError(
            f"The bundle “{start.name}” is a {files.card.architecture}, which cannot be the start "
            f"of a {architecture}."
        )
    return files


def identity(start: Path | None) -> str:
    """What tells these weights from others: a checksum; empty for none.

    Raises:
        BundleError: the bundle's card cannot be read.
        OSError: the file cannot be read.
    """
    if start is None:
        return ""
    if start.is_dir():
        return ModelCard.read(start / CARD_FILE).weights_sha256
    with start.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def without_known(prepared: Prepared, before: Provenance) -> Prepared:
    """Leave out of the test what the weights that are started from know already, and say so.

    The split is drawn anew for each training: who was trained on last time may be in the test now.

    Args:
        prepared: what is trained on and tested with.
        before: what the weights had learnt from.
    """
    tested = prepared.split.rows(TEST)
    if not len(tested):
        return prepared
    groups = [prepared.files[row].group for row in tested.tolist()]
    known, notes = before.among(_START, prepared.prints.of(tested), groups)
    side = prepared.split.side.copy()
    if known.all():
        notes.append("So the figures are optimistic. Give the new training a test part of its own.")
    elif known.any():
        side[tested[known]] = LEFT_OUT
        notes.append(f"Known patches are left out: {int(known.sum())}.")
    return replace(
        prepared,
        split=replace(prepared.split, side=side),
        warnings=(*prepared.warnings, *(f"Test: {note}" for note in notes)),
    )


def provenance_here(prepared: Prepared, size: int) -> Provenance:
    """What a training learns from, or chooses its epoch by.

    Args:
        prepared: what is trained on.
        size: side of the pictures in `prepared`; smaller ones than networks see are read again.

    Raises:
        DatasetError: a picture cannot be read any more.
    """
    rows = np.sort(np.concatenate([prepared.split.rows(side) for side in (TRAIN, VALIDATION)]))
    files = [prepared.files[row] for row in rows.tolist()]
    prints = prepared.prints.of(rows)
    if size != MODEL_SIDE:
        prints = joined([fingerprints(load_patches([file]).images) for file in files])
    return provenance_from(prints, [file.group for file in files])
