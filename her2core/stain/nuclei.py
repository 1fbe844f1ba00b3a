"""Nuclei from haematoxylin: where cells are, how large, and which look like tumour.

Works at one resolution, `WORKING_UM` per pixel, to which every image is brought first, so that all
sizes below are micrometres and one setting serves every magnification.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from her2core.stain.density import FloatImage

WORKING_UM = 0.4

_SEED_SIGMA_UM = (1.6, 2.3)
_CHROMATIN_UM = 0.6
_NEIGHBOURHOOD_UM = 9.0
_LEAST_CONTRAST = 0.025
_LEAST_SEED = 0.012
_CLEAR_LINE = 0.12
# a nucleus is compared with what lies about this far round it and is no nucleus
_SURROUNDINGS_UM = 2.0
_LEAST_AREA_UM2 = 9.0
_LARGEST_HOLE_UM2 = 30.0
_MOST_AREA_UM2 = 260.0


@dataclass(frozen=True)
class Nuclei:
    """n nuclei of one image at the working resolution.

    Attributes:
        centres: float32 (n, 2), x and y in working pixels.
        area_um2: float32 (n,).
        elongation: float32 (n,), long over short axis, >= 1.
        excess_brownness: float32 (n,), DAB over haematoxylin density of what it has more of than
            its surroundings: how brown is what makes it stand out. Negative where brown spares it.
        unevenness: float32 (n,), deviation over mean of the haematoxylin density within it.
        labels: int32 (H, W): 0 is no nucleus, i + 1 the nucleus i.
    """

    centres: npt.NDArray[np.float32]
    area_um2: FloatImage
    elongation: FloatImage
    excess_brownness: FloatImage
    unevenness: FloatImage
    labels: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def diameter_um(self) -> FloatImage:
        """Diameter (n,) of the circle of equal area, in micrometres."""
        return np.asarray(2 * np.sqrt(self.area_um2 / np.pi), dtype=np.float32)


def find_nuclei(haematoxylin: FloatImage, dab: FloatImage, lines: FloatImage) -> Nuclei:
    """Find nuclei on density maps, float32 (H, W), at `WORKING_UM` per pixel.

    `lines` are the brown lines (`membranes.membrane_lines`): no nucleus lies on a clear one.

    Smoothing evens out chromatin, a local threshold tells nuclei from their own surroundings,
    blob-shaped maxima (Laplacian of Gaussian at two nuclear sizes) are the seeds, and every pixel
    of the thresholded mask goes to the nearest seed, which is the watershed of the distance to the
    seeds. Pale nuclei with a dark rim are filled. Overlapping nuclei stay one; a nucleus hidden
    under dense DAB is not found here (see hidden.py).
    """
    mask = nuclear_mask(haematoxylin, lines > _CLEAR_LINE)
    seeds = _seeds(haematoxylin, mask)
    if not seeds.any():
        return _none(haematoxylin.shape)
    # distance to the nearest seed, and which one that is
    _, nearest = cv2.distanceTransformWithLabels(
        (~seeds).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    labels = np.where(mask, nearest, 0).astype(np.int32)
    return measured(labels, haematoxylin, dab)


def nuclear_mask(
    haematoxylin: FloatImage, membrane: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Boolean (H, W): denser than the surroundings, no membrane, holes filled, specks gone."""
    smooth = cv2.GaussianBlur(haematoxylin, (0, 0), _CHROMATIN_UM / WORKING_UM)
    around = cv2.GaussianBlur(haematoxylin, (0, 0), _NEIGHBOURHOOD_UM / WORKING_UM)
    contrast = smooth - around
    above = contrast[contrast > _LEAST_CONTRAST]
    if above.size < 30:
        return np.zeros(haematoxylin.shape, dtype=bool)
    # half of what a typical nucleus stands out by
    threshold = max(_LEAST_CONTRAST, 0.4 * float(np.percentile(above, 75)))
    mask = (contrast > threshold).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disc(0.8))
    mask = _fill_holes(mask)
    mask[membrane] = 0
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc(0.9))
    return np.asarray(mask.astype(bool))


def disc(radius_um: float) -> npt.NDArray[np.uint8]:
    size = 2 * max(1, round(radius_um / WORKING_UM)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _fill_holes(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] * WORKING_UM**2 <= _LARGEST_HOLE_UM2
    small[0] = False
    filled: npt.NDArray[np.uint8] = mask | small[labels].astype(np.uint8)
    return filled


def _seeds(haematoxylin: FloatImage, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Local maxima of the blob response inside the mask, at least half a nucleus apart."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5) * WORKING_UM
    response = np.zeros_like(haematoxylin)
    for sigma_um in _SEED_SIGMA_UM:
        sigma = sigma_um / WORKING_UM
        fine = cv2.GaussianBlur(haematoxylin, (0, 0), sigma)
        coarse = cv2.GaussianBlur(haematoxylin, (0, 0), 1.6 * sigma)
        response = np.maximum(response, fine - coarse)
    # how deep inside the mask counts too: a pale middle must not split a nucleus
    height = cv2.GaussianBlur(response + 0.03 * np.minimum(inside, 4.0), (0, 0), 1.0 / WORKING_UM)
    peak = height >= cv2.dilate(height, disc(2.0))
    return np.asarray(peak & mask & (response > _LEAST_SEED))


def measured(labels: npt.NDArray[np.int32], haematoxylin: FloatImage, dab: FloatImage) -> Nuclei:
    """Drop what is too small or large for a nucleus, number the rest and measure it."""
    yy, xx = np.nonzero(labels)
    at = labels[yy, xx]
    count = int(labels.max()) + 1
    size = np.bincount(at, minlength=count).astype(np.float64)
    area = size * WORKING_UM**2
    keep = (area >= _LEAST_AREA_UM2) & (area <= _MOST_AREA_UM2)
    keep[0] = False
    kept = np.flatnonzero(keep)
    if not len(kept):
        return _none(labels.shape)
    safe = np.maximum(size, 1)
    x = np.bincount(at, xx, count) / safe
    y = np.bincount(at, yy, count) / safe
    dx, dy = xx - x[at], yy - y[at]
    xx2 = np.bincount(at, dx * dx, count) / safe + 1 / 12
    yy2 = np.bincount(at, dy * dy, count) / safe + 1 / 12
    xy2 = np.bincount(at, dx * dy, count) / safe
    middle = (xx2 + yy2) / 2
    spread = np.sqrt(((xx2 - yy2) / 2) ** 2 + xy2**2)
    elongation = np.sqrt((middle + spread) / np.maximum(middle - spread, 1e-6))
    blue = haematoxylin[yy, xx].astype(np.float64)
    mean_blue = np.bincount(at, blue, count) / safe
    deviation = np.sqrt(np.maximum(np.bincount(at, blue**2, count) / safe - mean_blue**2, 0))
    more_blue = np.bincount(at, _above_surroundings(haematoxylin, labels)[yy, xx], count) / safe
    more_brown = np.bincount(at, _above_surroundings(dab, labels)[yy, xx], count) / safe
    number = np.zeros(count, np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    return Nuclei(
        np.stack([x, y], axis=1)[kept].astype(np.float32),
        area[kept].astype(np.float32),
        elongation[kept].astype(np.float32),
        (more_brown / np.maximum(more_blue, 0.01))[kept].astype(np.float32),
        (deviation / (mean_blue + 0.01))[kept].astype(np.float32),
        number[labels],
    )


def _above_surroundings(density: FloatImage, labels: npt.NDArray[np.int32]) -> FloatImage:
    """By how much each pixel exceeds the mean (H, W) of what round it belongs to no nucleus."""
    outside = (labels == 0).astype(np.float32)
    sigma = _SURROUNDINGS_UM / WORKING_UM
    weight = cv2.GaussianBlur(outside, (0, 0), sigma)
    around = cv2.GaussianBlur(density * outside, (0, 0), sigma) / np.maximum(weight, 1e-3)
    return np.asarray(density - around, dtype=np.float32)


def _none(shape: tuple[int, ...]) -> Nuclei:
    empty = np.zeros(0, np.float32)
    return Nuclei(np.zeros((0, 2), np.float32), *(empty,) * 4, np.zeros(shape, np.int32))
