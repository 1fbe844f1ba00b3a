"""The same picture twice: exactly, by sha256, and nearly, by a perceptual hash.

A picture that stands in training and in test makes the test an exam with known answers. Exact
copies are found by the sha256 of the pixels a network sees, so that a PNG saved anew counts too.
Near copies (re-encoded, resized, brightened) are found by dHash: the signs of the brightness steps
along the rows of a 9 x 8 grey thumbnail (N. Krawetz, "Kind of Like That", 2013), and confirmed by
the correlation of two 32 x 32 thumbnails. Turned or mirrored copies are not found.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from her2core.scores import HER2Score
from her2core.training.data.datasets import DatasetError, LabelledFile

MAX_DISTANCE = 7
LEAST_CORRELATION = 0.98
LEAST_CONTRAST = 2.0
_BANDS = MAX_DISTANCE + 1
_CHUNK = 2000


@dataclass(frozen=True)
class Fingerprints:
    """What pictures are told apart by, row by row.

    Attributes:
        sha256: of the pixels, hex.
        dhash: uint64 (n,).
        thumbs: uint8 (n, 32, 32), grey.
    """

    sha256: tuple[str, ...]
    dhash: npt.NDArray[np.uint64]
    thumbs: npt.NDArray[np.uint8]


def difference_hash(grey: npt.NDArray[np.uint8]) -> int:
    """64 bits: whether each cell of a 9 x 8 thumbnail is brighter than its left neighbour."""
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def fingerprints(images: npt.NDArray[np.uint8]) -> Fingerprints:
    """Fingerprints of pictures, uint8 (n, side, side, 3)."""
    thumbs = np.empty((len(images), 32, 32), np.uint8)
    hashes = np.empty(len(images), np.uint64)
    for row, image in enumerate(images):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        thumbs[row] = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)
        hashes[row] = difference_hash(grey)
    sums = tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in images)
    return Fingerprints(sums, hashes, thumbs)


def near_duplicates(prints: Fingerprints, side: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Pairs of rows on different sides that show nearly the same picture, exact copies excepted.

    Two hashes at most 7 bits apart agree in at least one of 8 bytes, so only pictures which share a
    byte are compared: no pass over all pairs. Pictures without contrast (glass) are left out: their
    hash is noise.

    Args:
        prints: of all pictures.
        side: int (n,), 0 for training, another number for each other part.

    Returns:
        Pairs (row, row) in ascending order, the one of the lower side first.
    """
    contrast = prints.thumbs.reshape(len(side), -1).std(axis=1)
    usable = contrast >= LEAST_CONTRAST
    found: set[tuple[int, int]] = set()
    for low in sorted(set(side.tolist())):
        ours = np.flatnonzero(usable & (side == low))
        theirs = np.flatnonzero(usable & (side > low))
        for band in range(_BANDS):
            for first, second in _sharing(prints.dhash, ours, theirs, band):
                apart = np.bitwise_count(prints.dhash[first][:, None] ^ prints.dhash[second][None])
                close = np.argwhere(apart <= MAX_DISTANCE)
                found.update((int(first[i]), int(second[j])) for i, j in close)
    return sorted(
        (i, j)
        for i, j in found
        if prints.sha256[i] != prints.sha256[j]
        and _correlation(prints.thumbs[i], prints.thumbs[j]) >= LEAST_CORRELATION
    )


def _sharing(
    hashes: npt.NDArray[np.uint64],
    ours: npt.NDArray[np.int64],
    theirs: npt.NDArray[np.int64],
    band: int,
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Rows of both sides with the same byte `band` of their hash, in chunks that fit in memory."""
    mine, other = (
        (hashes[rows] >> np.uint64(8 * band)) & np.uint64(255) for rows in (ours, theirs)
    )
    for value in np.intersect1d(mine, other):
        second = theirs[other == value]
        first = ours[mine == value]
        for start in range(0, len(first), _CHUNK):
            for other_start in range(0, len(second), _CHUNK):
                yield first[start : start + _CHUNK], second[other_start : other_start + _CHUNK]


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
