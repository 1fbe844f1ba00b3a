"""The same picture twice: exactly, by sha256, and nearly, by a perceptual hash.

A picture that stands in training and in test makes the test an exam with known answers. Exact
copies are found by the sha256 of the pixels a network sees, so that a PNG saved anew counts too.
Near copies (re-encoded, resized, brightened) are found by dHash: the signs of the brightness steps
along the rows of a 9 x 8 grey thumbnail (N. Krawetz, "Kind of Like That", 2013), and confirmed by
the correlation of two 16 x 16 thumbnails. Turned or mirrored copies are not found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from her2core.scores import HER2Score
from her2core.training.data.datasets import DatasetError, LabelledFile

MAX_DISTANCE = 7
LEAST_CORRELATION = 0.98
LEAST_CONTRAST = 2.0
THUMB_SIDE = 16
_AT_ONCE = 256
_NO_THUMBS = np.empty((0, THUMB_SIDE, THUMB_SIDE), np.uint8)


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """What pictures are told apart by, row by row.

    Attributes:
        sha256: of the pixels, hex.
        dhash: uint64 (n,).
        thumbs: uint8 (n, 16, 16), grey.
    """

    sha256: tuple[str, ...]
    dhash: npt.NDArray[np.uint64]
    thumbs: npt.NDArray[np.uint8]

    def of(self, rows: npt.NDArray[np.int64]) -> Fingerprints:
        """Some of the rows."""
        sums = tuple(self.sha256[row] for row in rows.tolist())
        return Fingerprints(sums, self.dhash[rows], self.thumbs[rows])


def joined(parts: Sequence[Fingerprints]) -> Fingerprints:
    """The rows of several, one after the other."""
    return Fingerprints(
        tuple(digest for part in parts for digest in part.sha256),
        np.concatenate([np.empty(0, np.uint64), *(part.dhash for part in parts)]),
        np.concatenate([_NO_THUMBS, *(part.thumbs for part in parts)]),
    )


def difference_hash(grey: npt.NDArray[np.uint8]) -> int:
    """64 bits: whether each cell of a 9 x 8 thumbnail is brighter than its left neighbour."""
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def fingerprints(images: npt.NDArray[np.uint8]) -> Fingerprints:
    """Fingerprints of pictures, uint8 (n, side, side, 3)."""
    thumbs = np.empty((len(images), THUMB_SIDE, THUMB_SIDE), np.uint8)
    hashes = np.empty(len(images), np.uint64)
    for row, image in enumerate(images):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        thumbs[row] = cv2.resize(grey, thumbs.shape[1:], interpolation=cv2.INTER_AREA)
        hashes[row] = difference_hash(grey)
    sums = tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in images)
    return Fingerprints(sums, hashes, thumbs)


def near_duplicates(prints: Fingerprints, side: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pairs of rows on different sides that show nearly the same picture, exact copies excepted.

    Args:
        prints: of all pictures.
        side: int (n,), 0 for training, another number for each other part.

    Returns:
        Pairs (row, row) in ascending order, the one of the lower side first.
    """
    found: list[tuple[int, int]] = []
    for low in sorted(set(side.tolist())):
        ours, theirs = np.flatnonzero(side == low), np.flatnonzero(side > low)
        pairs = near_pairs(prints.of(ours), prints.of(theirs))
        found += [(int(ours[i]), int(theirs[j])) for i, j in pairs]
    return sorted(found)


def near_pairs(first: Fingerprints, second: Fingerprints) -> list[tuple[int, int]]:
    """Pairs (row of the first, row of the second) that show nearly the same, not exactly.

    Pictures without contrast (glass) are left out: their hash is noise.
    """
    ours, theirs = (np.flatnonzero(_usable(prints)) for prints in (first, second))
    found: list[tuple[int, int]] = []
    for start in range(0, len(ours), _AT_ONCE):
        some = ours[start : start + _AT_ONCE]
        apart = np.bitwise_count(first.dhash[some][:, None] ^ second.dhash[theirs][None])
        close = np.argwhere(apart <= MAX_DISTANCE)
        found += [(int(some[i]), int(theirs[j])) for i, j in close]
    return [
        (i, j)
        for i, j in found
        if first.sha256[i] != second.sha256[j]
        and _correlation(first.thumbs[i], second.thumbs[j]) >= LEAST_CORRELATION
    ]


def _usable(prints: Fingerprints) -> npt.NDArray[np.bool_]:
    spread = prints.thumbs.reshape(len(prints.thumbs), THUMB_SIDE**2).std(axis=1)
    return np.asarray(spread >= LEAST_CONTRAST)


def _correlation(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def check_labels(files: Sequence[LabelledFile], prints: Fingerprints) -> None:
    """Refuse a picture that carries two labels.

    Raises:
        DatasetError: names the files of up to three such pictures and their labels.
    """
    by_sum: dict[str, list[LabelledFile]] = {}
    for file, digest in zip(files, prints.sha256, strict=True):
        by_sum.setdefault(digest, []).append(file)
    torn = [same for same in by_sum.values() if len({file.label for file in same}) > 1]
    if torn:
        named = "; ".join(
            " and ".join(f"{file.path} ({HER2Score(file.label).label})" for file in same[:4])
            for same in torn[:3]
        )
        raise DatasetError(
            f"{len(torn)} pictures carry more than one label: {named}. Keep each under one label."
        )
