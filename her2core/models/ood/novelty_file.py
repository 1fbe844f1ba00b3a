"""novelty.safetensors: what a bundle knows, written beside its weights and verified when read."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from her2core.common.files import write_atomically
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard
from her2core.models.bundles.card_records import KnownPatches
from her2core.models.ood.appearance import VERSION
from her2core.models.ood.novelty import KnownSpace, Novelty
from her2core.models.ood.other_stains import OtherStains

NOVELTY_FILE = "novelty.safetensors"
_SPACE = ("mean", "basis", "residual", "references", "threshold")
_OTHER = ("weights", "bias", "threshold")

Floats = npt.NDArray[np.float32]
Tensors = Mapping[str, npt.NDArray[np.generic]]


def to_bytes(novelty: Novelty) -> bytes:
    """Safetensors: references as float16, which is finer than any distance is known."""
    tensors: dict[str, npt.NDArray[np.generic]] = {"version": np.array([VERSION], np.int32)}
    for name, space in (("features", novelty.features), ("appearance", novelty.appearance)):
        tensors[f"{name}.mean"] = space.mean
        tensors[f"{name}.basis"] = np.ascontiguousarray(space.basis, np.float32)
        tensors[f"{name}.residual"] = np.array([space.residual], np.float32)
        tensors[f"{name}.references"] = space.references.astype(np.float16)
        tensors[f"{name}.threshold"] = np.array([space.threshold], np.float32)
    if novelty.other is not None:
        tensors["other.weights"] = novelty.other.weights
        tensors["other.bias"] = np.array([novelty.other.bias], np.float32)
        tensors["other.threshold"] = np.array([novelty.other.threshold], np.float32)
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
        data = (folder / NOVELTY_FILE).read_bytes()  # once: what was verified is what is used
        if hashlib.sha256(data).hexdigest() != card.novelty.sha256:
            raise ValueError(f"{NOVELTY_FILE} is not the file its card was written for")
        return from_bytes(data)
    except OSError:
        reason = f"{NOVELTY_FILE} is missing or cannot be read"
    except ValueError as error:
        reason = str(error)
    raise BundleError(
        f"Model bundle “{folder.name}” cannot be used: {reason}; copy the whole bundle again or "
        "choose another one."
    )


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
    parts = _finite(tensors, name, _SPACE)
    if len(parts) < len(_SPACE):
        raise ValueError(f"{NOVELTY_FILE} lacks numbers for its {name}")
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
    parts = _finite(tensors, "other", _OTHER)
    if len(parts) < len(_OTHER):
        raise ValueError(f"{NOVELTY_FILE} lacks numbers for other stains")
    fits = (
        parts["weights"].shape == (coordinates,)
        and parts["bias"].shape == parts["threshold"].shape == (1,)
        and 0 < parts["threshold"][0] < 1
    )
    if not fits:
        raise ValueError(f"the shapes in {NOVELTY_FILE} do not fit one another")
    return OtherStains(parts["weights"], float(parts["bias"][0]), float(parts["threshold"][0]))


def _finite(tensors: Tensors, name: str, fields: tuple[str, ...]) -> dict[str, Floats]:
    """The tensors of these fields that are there and hold finite numbers."""
    found = {field: tensors.get(f"{name}.{field}") for field in fields}
    return {
        field: values.astype(np.float32)
        for field, values in found.items()
        if values is not None and np.isfinite(values.astype(np.float32)).all()
    }
