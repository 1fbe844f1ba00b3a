"""Weights that a training starts from: those of an earlier stage, or of a finished bundle.

A lab rarely has enough patches to train a network from nothing; it takes a bundle that already
knows membranes and trains on with its own.
"""

import csv
import hashlib
from pathlib import Path
from typing import Any

from her2core.models.bundles.bundle_files import read_files
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard
from her2core.training.checkpoint import load_weights
from her2core.training.data.prepare import SPLIT_FILE, Prepared
from her2core.training.data.splits import SIDE_NAMES, TEST, TRAIN, VALIDATION


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
    from her2core.models.bundles.bundle import put_weights

    put_weights(model, files.tensors)


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


def caution(start: Path, prepared: Prepared) -> str | None:
    """One sentence where the test patches may be known to the weights that are started from.

    The split is drawn anew for each training: who was trained on last time may be in the test now.
    The run that made the weights, as long as its folder is there, says who that was.

    Args:
        start: weights file in a run's folder, or a bundle.
        prepared: what is trained on and tested with.

    Returns:
        None where no test patch was learnt from, or none is tested; of a demonstration bundle
        also, which learnt from no patch of a lab.

    Raises:
        BundleError: the bundle's card cannot be read.
    """
    tested = prepared.split.rows(TEST).tolist()
    bundle = start.is_dir()
    if not tested or (bundle and ModelCard.read(start / CARD_FILE).demo):
        return None
    run = start.with_name(f"{start.name}.run") if bundle else start.parent
    learnt = _learnt_from(run / SPLIT_FILE)
    if learnt is None:
        return (
            "What the weights that were started from had learnt from is not known any more: where "
            "test patches, or others of their patients, were among it, the figures are optimistic."
        )
    pictures, groups = learnt
    known = sum(
        prepared.sha256[row] in pictures or prepared.files[row].group in groups for row in tested
    )
    if not known:
        return None
    return (
        f"{known} of {len(tested)} test patches, or others of their patients, were among those "
        "that the weights started from had learnt from: the figures are optimistic. Give the new "
        "training a test part of its own."
    )


def _learnt_from(path: Path) -> tuple[frozenset[str], frozenset[str]] | None:
    """Checksums and groups that a run trained on or chose its epoch by; None without its split."""
    learning = {SIDE_NAMES[TRAIN], SIDE_NAMES[VALIDATION]}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row["side"] in learning]
        pictures = frozenset(row["sha256"] for row in rows)
        return pictures, frozenset(row["group"] for row in rows) - {""}
    except (OSError, UnicodeDecodeError, KeyError, csv.Error):
        return None
