"""The study's augmentation: one affine warp for rotation, shift, shear, zoom and flips; brightness.

Composing the five geometric changes into a single matrix resamples the picture once instead of
five times, so that thin membranes stay thin. Beyond the study: colour gains and stain densities.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from her2core.stain.density import MIXING
from her2core.training.data.microscopes import seen_by_another


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes; the defaults are the study's.

    Attributes:
        rotation: degrees, drawn from [-rotation, rotation].
        shift: share of the side, in both directions.
        zoom, shear: drawn from [1 - zoom, 1 + zoom] and [-shear, shear].
        flips: mirror left-right and top-bottom, each with probability one half.
        brightness: factor drawn from this range.
        colour: beyond the study: each channel's gain strays by up to this share.
        stain: beyond the study: the densities of haematoxylin and of DAB stray, each for itself,
            by up to this share. Keep it small: density is what tells 1+ from 2+.
        microscopes: beyond the study: share of the pictures that are shown as another microscope
            might have shown them (her2core.training.data.microscopes).
    """

    rotation: float = 40.0
    shift: float = 0.2
    zoom: float = 0.2
    shear: float = 0.2
    flips: bool = True
    brightness: tuple[float, float] = (0.8, 1.2)
    colour: float = 0.0
    stain: float = 0.0
    microscopes: float = 0.0


_STAINS = MIXING.T
_UNMIX = np.linalg.inv(_STAINS)
# natural logarithm of the light that comes through, by pixel value; black counts as 1
_LOG_LIGHT = np.log(np.maximum(np.arange(256), 1) / 255).astype(np.float32)


def affine_matrix(
    augmentation: Augmentation, side: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw the 2 x 3 matrix from output to input pixel coordinates of a (side, side) picture."""
    angle = np.deg2rad(rng.uniform(-augmentation.rotation, augmentation.rotation))
    shear = rng.uniform(-augmentation.shear, augmentation.shear)
    zoom = rng.uniform(1 - augmentation.zoom, 1 + augmentation.zoom)
    shift = rng.uniform(-augmentation.shift, augmentation.shift, 2) * side
    flip = np.where(rng.random(2) < 0.5, -1.0, 1.0) if augmentation.flips else np.ones(2)
    rotate = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = rotate @ np.array([[1.0, shear], [0.0, 1.0]]) @ np.diag(flip) / zoom
    centre = np.full(2, (side - 1) / 2)
    return np.column_stack([linear, centre - linear @ centre + shift])


def augment(
    rgb: npt.NDArray[np.uint8], augmentation: Augmentation, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Change one picture at random.

    Args:
        rgb: uint8 (side, side, 3).
        augmentation: ranges.
        rng: source of randomness.

    Returns:
        float32 (side, side, 3) in [0, 1]. Where the warp looks beyond the border, tissue is
        mirrored in.
    """
    side = rgb.shape[0]
    matrix = affine_matrix(augmentation, side, rng)
    warped = cv2.warpAffine(
        rgb,
        matrix,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    gain = rng.uniform(*augmentation.brightness) * (
        1 + rng.uniform(-augmentation.colour, augmentation.colour, 3)
    )
    if augmentation.stain > 0:
        changed = scale_stains(warped, 1 + rng.uniform(-augmentation.stain, augmentation.stain, 2))
        picture = np.asarray(np.clip(changed * gain.astype(np.float32), 0, 1))
    else:
        picture = _brightened(warped, gain)
    if augmentation.microscopes > 0 and rng.random() < augmentation.microscopes:
        return seen_by_another(picture, rng).astype(np.float32) / np.float32(255)
    return picture


def scale_stains(
    rgb: npt.NDArray[np.uint8], factors: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Multiply the optical densities of haematoxylin and DAB.

    Unmixed after Ruifrok & Johnston with the colours of `her2core.stain.density`, as in Tellez et al., IEEE
    Trans Med Imaging 2018;37:2126. Mixing is linear in density, so that unmixing, the two factors
    and mixing are one 3 x 3 matrix.

    Args:
        rgb: uint8 (H, W, 3).
        factors: (2,), of haematoxylin and of DAB; 1 changes nothing.

    Returns:
        float32 (H, W, 3) in [0, 1], the residual colour unchanged.
    """
    matrix = _STAINS @ np.diag([*factors, 1.0]) @ _UNMIX
    density = cv2.transform(_LOG_LIGHT[rgb], matrix)
    return np.asarray(np.minimum(cv2.exp(density), 1.0))


def _brightened(
    rgb: npt.NDArray[np.uint8], gain: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    return np.asarray(np.clip(rgb.astype(np.float32) * (gain / 255).astype(np.float32), 0, 1))
