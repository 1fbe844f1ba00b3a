"""Smooth random fields: the texture of tissue and of uneven staining."""

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]


def smooth_noise(rng: np.random.Generator, side: int, period: float) -> Field:
    """A (side, side) field with mean about 0, deviation about 1, varying over `period` pixels."""
    knots = max(4, int(np.ceil(side / max(period, 1.0))) + 3)
    coarse = rng.standard_normal((knots, knots)).astype(np.float32)
    fine = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine / max(float(fine.std()), 1e-6), dtype=np.float32)


def fibres(rng: np.random.Generator, side: int, width: float, angle: float) -> Field:
    """Wavy strands about `width` pixels wide along `angle` (radians); mean 0, deviation 1."""
    coarse_x, coarse_y = max(4, int(side / (8 * width)) + 3), max(6, int(side / width) + 3)
    strands = cv2.resize(
        rng.standard_normal((coarse_y, coarse_x)).astype(np.float32),
        (2 * side, 2 * side),
        interpolation=cv2.INTER_CUBIC,
    )
    yy, xx = np.mgrid[0:side, 0:side].astype(np.float32)
    centre = side / 2
    wave = smooth_noise(rng, side, 14 * width) * 2.5 * width
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u = cos * (xx - centre) + sin * (yy - centre) + side
    v = -sin * (xx - centre) + cos * (yy - centre) + side + wave
    field = cv2.remap(strands, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)
