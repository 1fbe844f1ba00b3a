"""How much of a square is tissue, and how sharp it is."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# Optical density summed over the three channels.
TISSUE_DENSITY = 0.12
# Grey levels of local variation: glass has 0.7 to 1.1, the palest unstained stroma more than 2.
TISSUE_TEXTURE = 2.0


def tissue_share(fine: FloatArray, density: FloatArray, sigma: float) -> float:
    """Part of the square that is coloured or structured; empty glass is neither.

    Args:
        fine: grey levels, slightly smoothed.
        density: optical density summed over the channels, at any resolution.
        sigma: standard deviation in its pixels over which it is averaged.
    """
    detail = fine - _like(_wide(fine, 4.0), fine)
    texture = np.sqrt(np.maximum(_wide(detail * detail, 6.0), 0))
    coloured = _like(_wide(density, sigma), texture) > TISSUE_DENSITY
    return float(np.mean(coloured | (texture > TISSUE_TEXTURE)))


def focus_of(fine: FloatArray) -> float:
    """Spread of the Laplacian over the spread of structures up to cell size; 0 on an even field.

    The ratio does not change with how strongly the patch is stained, unlike the plain variance of
    the Laplacian.
    """
    structure = float(np.std(fine - _like(_wide(fine, 12.0), fine)))
    return float(np.std(cv2.Laplacian(fine, cv2.CV_32F))) / structure if structure > 1e-3 else 0.0


def _wide(image: FloatArray, sigma: float) -> FloatArray:
    """A Gaussian blur of wide `sigma`, on the image reduced as far as it would blur anyway.

    Returns:
        The blurred image at the reduced size.
    """
    height, width = image.shape
    factor = 1
    while 4 * factor <= sigma and min(height, width) // (2 * factor) >= 16:
        factor *= 2
    small = cv2.resize(image, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), sigma / factor), np.float32)


def _like(image: FloatArray, other: FloatArray) -> FloatArray:
    """The image at the size of the other."""
    size = (other.shape[1], other.shape[0])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.float32)
