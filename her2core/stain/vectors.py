"""The colours of haematoxylin and DAB: fitted once, or estimated from the image itself.

A stain vector is the optical density that one unit of stain adds in R, G and B, at unit length; the
fixed ones stand in `her2core.common.optics`. Estimation follows Macenko et al. (ISBI 2009,
1107-1110): the densities of a two-stain slide lie in a plane, and the two extreme directions of
the cloud are the stains. On HER2 patches that alone goes wrong as a rule, because most of them
hold hardly any DAB and their browner extreme is then grey cytoplasm; so a direction is believed
only near the fixed one, and where enough pixels lie along it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from her2core.common.optics import DAB, HAEMATOXYLIN, Vector, optical_density

# fixed in Macenko's paper: fainter pixels have no direction, and the extremes are percentiles
_LEAST_DENSITY = 0.15
_EXTREME_PERCENT = 1.0
# grey (red cells, folds) lies ten degrees and more from DAB, scanners differ by half of that
_FARTHEST_DEGREES = 8.0
_LEAST_SHARE = 0.02
_LEAST_PIXELS = 300
_MOST_PIXELS = 100_000


@dataclass(frozen=True)
class StainVectors:
    """Unit optical densities (R, G, B) of both stains, and what they came from.

    Attributes:
        haematoxylin, dab: the two directions, unit length, every part >= 0.
        estimated: which of the two were estimated from the image; the others are the fixed ones.
    """

    haematoxylin: Vector = HAEMATOXYLIN
    dab: Vector = DAB
    estimated: tuple[str, ...] = ()

    def mixing(self) -> npt.NDArray[np.float64]:
        """The matrix (3, 3) with a row of R, G, B for haematoxylin, DAB and the rest."""
        residual = np.cross(self.haematoxylin, self.dab)
        return np.stack([self.haematoxylin, self.dab, residual / np.linalg.norm(residual)])

    def unmixing(self) -> npt.NDArray[np.float32]:
        """The matrix (3, 3) from optical density to amounts of haematoxylin, DAB and the rest."""
        return np.asarray(np.linalg.inv(self.mixing()), dtype=np.float32)


FITTED = StainVectors()


def glass_of(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Colour (3,) of the unstained glass: the brightest percent of the image, 160 at least."""
    every = max(1, int(np.sqrt(rgb.shape[0] * rgb.shape[1] / 200_000)))
    sample = rgb[::every, ::every].reshape(-1, 3)
    return np.maximum(np.percentile(sample, 99, axis=0), 160).astype(np.float32)


def foreign_share(rgb: npt.NDArray[np.uint8], vectors: StainVectors = FITTED) -> float:
    """Share in [0, 1] of an image's absorption that neither stain explains; 0 without any.

    Real and synthetic HER2 patches stay below 0.05, pure noise reaches 0.16.
    """
    amounts = np.abs(optical_density(rgb, glass_of(rgb)) @ vectors.unmixing())
    total = float(amounts.sum())
    return float(amounts[..., 2].sum()) / total if total > 0 else 0.0


def estimate_vectors(rgb: npt.NDArray[np.uint8]) -> StainVectors:
    """Estimate both stain vectors from an image, uint8 (H, W, 3).

    Each of them falls back to the fixed one by itself: where fewer than 2 % of the stained pixels
    lie closer to it than to the other stain, or the direction found is more than 8 degrees off.
    """
    # a hundred thousand pixels tell the colours of a stain as well as a hundred million
    every = max(1, int(np.sqrt(rgb.shape[0] * rgb.shape[1] / _MOST_PIXELS)))
    density = optical_density(rgb[::every, ::every], glass_of(rgb)).reshape(-1, 3)
    density = density[np.all(density > _LEAST_DENSITY, axis=1)]
    if len(density) < _LEAST_PIXELS:
        return FITTED
    # about the origin, where no stain is: both stains' plane goes through it
    _, axes = np.linalg.eigh(density.T @ density)
    plane = axes[:, 1:]
    plane = plane * np.where(plane.sum(axis=0) < 0, -1.0, 1.0)
    angles = np.arctan2(density @ plane[:, 0], density @ plane[:, 1])
    low, high = np.percentile(angles, [_EXTREME_PERCENT, 100 - _EXTREME_PERCENT])
    ends = [plane @ np.array([np.sin(angle), np.cos(angle)]) for angle in (low, high)]
    # haematoxylin absorbs more red than blue, DAB the other way round
    ends.sort(key=lambda end: float(end[2] - end[0]))
    along = density / np.linalg.norm(density, axis=1, keepdims=True)
    nearer_dab = along @ np.array(DAB) > along @ np.array(HAEMATOXYLIN)
    share_dab = float(nearer_dab.mean())
    haematoxylin = _plausible(ends[0], HAEMATOXYLIN, 1 - share_dab)
    dab = _plausible(ends[1], DAB, share_dab)
    estimated = [
        name for name, end in (("haematoxylin", haematoxylin), ("dab", dab)) if end is not None
    ]
    return StainVectors(haematoxylin or HAEMATOXYLIN, dab or DAB, tuple(estimated))


def _plausible(end: npt.NDArray[np.float64], fixed: Vector, share: float) -> Vector | None:
    """`end` as a unit vector where it may be the stain `fixed`, else None."""
    if share < _LEAST_SHARE or not np.all(np.isfinite(end)) or not np.any(end):
        return None
    unit = end / np.linalg.norm(end)
    unit = np.maximum(unit * np.sign(unit.sum()), 0)
    unit = unit / np.linalg.norm(unit)
    cosine = float(np.clip(unit @ (np.array(fixed) / np.linalg.norm(fixed)), -1, 1))
    if np.degrees(np.arccos(cosine)) > _FARTHEST_DEGREES:
        return None
    return (float(unit[0]), float(unit[1]), float(unit[2]))
