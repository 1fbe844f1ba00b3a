"""novelty.safetensors: what a bundle knows, written beside its weights and verified when read."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from her2core.common.files import write_atomically
from her2core.models.bundles.bundle_files import refuse, verified_bytes
from her2core.models.bundles.card import CARD_FILE, ModelCard
from her2core.models.bundles.card_records import KnownPatches
from her2core.models.ood.appearance import VERSION
from her2core.models.ood.novelty import KnownSpace, Novelty
from her2core.models.ood.other_stains import OtherStains

NOVELTY_FILE = "novelty.safetensors"

Floats = npt.NDArray[np.float32]
Tensors = Mapping[str, npt.NDArray[np.generic]]


def to_bytes(novelty: Novelty) -> bytes:
    """Safetensors: references as float16, which is finer than any distance is known."""
    tensors: dict[str, npt.NDArray[np.generic]] = {"version": np.array([VERSION], np.int32)}
    for name in ("features", "appearance", "other"):
        part = getattr(novelty, name)
        for field in fields(part) if part is not None else ():
            values = np.atleast_1d(np.asarray(getattr(part, field.name), np.float32))
            kept = values.astype(np.float16) if field.name == "references" else values
            tensors[f"{name}.{field.name}"] = np.ascontiguousarray(kept)
    data: bytes = save(tensors)
    return data


def from_bytes(data: bytes) -> Novelty:
    """Read what `to_bytes` wrote.

    Raises:
        ValueError: a phrase on why the bytes are not that.
    """
    try:
        tensors = load(data)
    except SafetensorError:
        raise ValueError(f"{NOVELTY_FILE} is not a safetensors file") from None
    version = tensors.get("version")
    if version is None or version.tolist() != [VERSION]:
        raise ValueError(f"{NOVELTY_FILE} was made by another version; make it again")
    spaces = _space(tensors, "features"), _space(tensors, "appearance")
    other = _other(tensors, sum(space.basis.shape[1] for space in spaces))
    return Novelty(*spaces, other)


def load_novelty(folder: Path, card: ModelCard) -> Novelty | None:
    """What a bundle's folder holds to tell unfamiliar inputs, verified against its card.

    Returns:
        None where the card names nothing.

    Raises:
        BundleError: the file is missing, not the one the card names, or not of this network.
    """
    if card.novelty is None:
        return None
    try:
        return from_bytes(verified_bytes(folder / NOVELTY_FILE, card.novelty.sha256))
    except ValueError as error:
        refuse(folder.name, str(error))


def save_novelty(folder: Path, card: ModelCard, novelty: Novelty, known: KnownPatches) -> ModelCard:
    """Put the file into a finished bundle and name it in its card.

    The card names nothing while the file changes, so that a stop in between leaves a whole bundle.

    Returns:
        The card as written.

    Raises:
        OSError: something cannot be written.
    """
    data = to_bytes(novelty)
    finished = replace(card, novelty=replace(known, sha256=hashlib.sha256(data).hexdigest()))
    if card.novelty is not None:
        write_atomically(folder / CARD_FILE, replace(card, novelty=None).to_json().encode())
    write_atomically(folder / NOVELTY_FILE, data)
    write_atomically(folder / CARD_FILE, finished.to_json().encode())
    return finished


def _space(tensors: Tensors, name: str) -> KnownSpace:
    parts = _parts(tensors, name, KnownSpace)
    mean, basis, references = (parts[field] for field in ("mean", "basis", "references"))
    fits = (
        (mean.ndim, basis.ndim, references.ndim) == (1, 2, 2)
        and basis.shape[0] == len(mean)
        and references.shape[1] == basis.shape[1] > 0
        and len(references) > 0
        and parts["threshold"].shape == parts["residual"].shape == (1,)
        and parts["threshold"][0] > 0
    )
    if not fits:
        raise ValueError(f"the shapes in {NOVELTY_FILE} do not fit one another")
    return KnownSpace(
        mean, basis, float(parts["residual"][0]), references, float(parts["threshold"][0])
    )


def _other(tensors: Tensors, coordinates: int) -> OtherStains | None:
    """What tells other stains; None where the bundle was shown none."""
    if not any(name.startswith("other.") for name in tensors):
        return None
    parts = _parts(tensors, "other", OtherStains)
    fits = (
        parts["weights"].shape == (coordinates,)
        and parts["bias"].shape == parts["threshold"].shape == (1,)
        and 0 < parts["threshold"][0] < 1
    )
    if not fits:
        raise ValueError(f"the shapes in {NOVELTY_FILE} do not fit one another")
    return OtherStains(parts["weights"], float(parts["bias"][0]), float(parts["threshold"][0]))


def _parts(
    tensors: Tensors, name: str, kind: type[KnownSpace] | type[OtherStains]
) -> dict[str, Floats]:
    """A tensor for each field of a kind."""
    parts = {}
    for field in fields(kind):
        values = tensors.get(f"{name}.{field.name}", np.array([np.nan])).astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError(f"{NOVELTY_FILE} lacks numbers for its {name}")
        parts[field.name] = values
    return parts
