"""provenance.safetensors: which patches a network learnt from, kept beside its weights.

Sums and small grey thumbnails, so that a later test can tell which of its patches the network knows
already: by equal pixels, as a near copy, or by their patient, slide or core. Groups are kept as
sums of their names: a bundle that is passed on names nobody. A training that went on from a bundle
knows what that one knew, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from her2core.models.bundles.bundle_files import verified_bytes
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard
from her2core.models.bundles.card_records import ProvenanceFacts
from her2core.training.data.duplicates import Fingerprints, joined, near_pairs

PROVENANCE_FILE = "provenance.safetensors"

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Provenance:
    """What a network learnt from, as far as that is known.

    Attributes:
        prints: of its patches, each once.
        groups: sha256 of the names of their patients, slides or cores.
        whole: these are all; False where it went on from weights of which it is not known.
    """

    prints: Fingerprints
    groups: frozenset[str]
    whole: bool

    def among(
        self, who: str, prints: Fingerprints, groups: Sequence[str]
    ) -> tuple[Bools, list[str]]:
        """Which of other patches it knows, and what must be said of figures on them.

        Args:
            who: learnt this, as people call it here.
            prints: of n patches.
            groups: (n,), "" where not known.

        Returns:
            bool (n,): known by equal pixels, as a near copy, or by their group; and sentences.
        """
        sums = frozenset(self.prints.sha256)
        equal = np.array([digest in sums for digest in prints.sha256], bool)
        near = np.zeros(len(groups), bool)
        near[[row for _, row in near_pairs(self.prints, prints)]] = True
        group = np.array([bool(name) and _sum(name) in self.groups for name in groups], bool)
        notes = []
        if not self.whole:
            notes.append(
                f"What {who} learnt from is not known, or not all of it: where these patches, or "
                "others of their patients, were among it, the figures are optimistic."
            )
        known = equal | near | group
        if known.any():
            ways = (
                (equal, "equal pixels"),
                (near & ~equal, "near copies"),
                (group & ~equal & ~near, "same patient, slide or core"),
            )
            parts = "; ".join(f"{way}: {int(which.sum())}" for which, way in ways if which.any())
            notes.append(
                f"{int(known.sum())} of {len(known)} patches are known to {who} ({parts})."
            )
        return known, notes

    def and_also(self, other: Provenance) -> Provenance:
        """What both learnt from."""
        prints = joined((self.prints, other.prints))
        _, first = np.unique(np.array(prints.sha256, dtype="S64"), return_index=True)
        return Provenance(
            prints.of(np.sort(first)), self.groups | other.groups, self.whole and other.whole
        )

    @property
    def facts(self) -> ProvenanceFacts:
        """What the card says of the file."""
        digest = hashlib.sha256(to_bytes(self)).hexdigest()
        return ProvenanceFacts(digest, len(self.prints.sha256), len(self.groups))


def provenance_from(prints: Fingerprints, groups: Iterable[str]) -> Provenance:
    """What is learnt from patches, of groups with these names."""
    return Provenance(prints, frozenset(_sum(group) for group in groups if group), whole=True)


def nothing(whole: bool) -> Provenance:
    """Nothing learnt, or nothing that is known."""
    return Provenance(joined(()), frozenset(), whole)


def provenance_of(bundle: Path) -> Provenance:
    """What a bundle learnt from.

    A demonstration bundle without the file counts as one that knows no patch of a laboratory.

    Raises:
        BundleError: its card cannot be read, or the file is missing or not the one the card names.
    """
    card = ModelCard.read(bundle / CARD_FILE)
    if card.provenance is None:
        return nothing(whole=card.demo)
    try:
        return from_bytes(verified_bytes(bundle / PROVENANCE_FILE, card.provenance.sha256))
    except ValueError as error:
        raise BundleError(
            f"What the bundle “{bundle.name}” learnt from cannot be told: {error}; copy the whole "
            "bundle again."
        ) from None


def provenance_of_start(start: Path | None) -> Provenance:
    """What weights to start from learnt from: a bundle, or a run's weights file; None: nothing.

    Raises:
        BundleError: see `provenance_of`.
    """
    if start is None:
        return nothing(whole=True)
    if start.is_dir():
        return provenance_of(start)
    try:
        return from_bytes((start.parent / PROVENANCE_FILE).read_bytes())
    except (OSError, ValueError):
        return nothing(whole=False)


def to_bytes(provenance: Provenance) -> bytes:
    """The file's bytes; equal for equal contents."""
    groups = sorted(provenance.groups)
    data: bytes = save(
        {
            "dhash": provenance.prints.dhash,
            "groups": _rows(groups),
            "sha256": _rows(provenance.prints.sha256),
            "thumbs": provenance.prints.thumbs,
            "whole": np.array([provenance.whole], np.uint8),
        }
    )
    return data


def from_bytes(data: bytes) -> Provenance:
    """Read what `to_bytes` wrote.

    Raises:
        ValueError: a phrase on why the bytes are not that.
    """
    try:
        stored = load(data)
        sums, groups = (_hex(stored[name]) for name in ("sha256", "groups"))
        prints = Fingerprints(sums, stored["dhash"], stored["thumbs"])
        fits = len(prints.dhash) == len(prints.thumbs) == len(sums)
        if not fits or prints.dhash.dtype != np.uint64 or prints.thumbs.dtype != np.uint8:
            raise ValueError
        return Provenance(prints, frozenset(groups), bool(stored["whole"][0]))
    except (SafetensorError, KeyError, IndexError, TypeError, ValueError):
        raise ValueError(f"{PROVENANCE_FILE} does not hold what it should") from None


def _sum(group: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest()


def _rows(sums: Sequence[str]) -> npt.NDArray[np.uint8]:
    data = b"".join(bytes.fromhex(digest) for digest in sums)
    return np.frombuffer(data, np.uint8).reshape(len(sums), 32)


def _hex(rows: npt.NDArray[np.generic]) -> tuple[str, ...]:
    return tuple(bytes(row).hex() for row in rows)
