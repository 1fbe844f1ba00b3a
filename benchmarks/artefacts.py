"""Pen strokes and tissue folds laid over a patch, to measure how many are found.

Both follow Beer-Lambert: ink and a second layer of tissue add their optical density to what lies
below. A pen writes on the coverslip, so its edge is out of focus; a fold is tissue of the same
patch lying over the band, one layer where an edge has turned over, two where a pleat lies flat, and
it is thicker than the depth of focus.
"""

import cv2
import numpy as np
import numpy.typing as npt

RGBArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

# Marker colours on glass, as photographed in transmitted light.
INKS: dict[str, tuple[int, int, int]] = {
    "black": (32, 30, 36),
    "blue": (36, 62, 158),
    "green": (38, 122, 74),
    "red": (186, 34, 52),
}
_GLASS = 245.0


def with_pen(rgb: RGBArray, ink: str, rng: np.random.Generator) -> RGBArray:
    """The patch with one pen stroke across it: uint8 (h, w, 3)."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    line = _curve(height, width, rng)
    half = rng.uniform(0.05, 0.16) * side
    cover = _soft(_distance(line, height, width), half, 0.012 * side)
    # Ink is thicker towards the edges of a stroke and streaky along it.
    streaks = cv2.GaussianBlur(rng.random((height, width), np.float32), (0, 0), 0.03 * side)
    streaks = (streaks - streaks.mean()) / (streaks.std() + 1e-6)
    load = rng.uniform(0.6, 1.1) * np.clip(1 + 0.08 * streaks, 0.7, 1.3)
    density = -np.log10(np.array(INKS[ink], np.float32) / _GLASS)
    return _absorbed(rgb, (cover * load)[..., None] * density)


def with_fold(rgb: RGBArray, rng: np.random.Generator, layers: int | None = None) -> RGBArray:
    """The patch with a band of one or two more layers of its own tissue: uint8 (h, w, 3)."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    line = _curve(height, width, rng)
    half = rng.uniform(0.04, 0.12) * side
    cover = _soft(_distance(line, height, width), half, 0.004 * side)
    own = _density(rgb)
    more = np.zeros_like(own)
    for _ in range(layers or int(rng.integers(1, 3))):
        shift = rng.uniform(0.2, 0.8, 2) * (height, width)
        more += np.roll(own[:, ::-1], tuple(int(s) for s in shift), axis=(0, 1))
    folded = cv2.GaussianBlur(own + more, (0, 0), rng.uniform(0.002, 0.005) * side)
    return _from_density(own * (1 - cover[..., None]) + folded * cover[..., None])


def _curve(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Points of a bent line through the patch, (n, 2) as x, y."""
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    centre = np.array([width, height]) * rng.uniform(0.3, 0.7, 2)
    t = np.linspace(-1, 1, 200)[:, None]
    bend = rng.uniform(-0.25, 0.25)
    reach = np.hypot(width, height)
    return np.asarray(centre + reach * (t * along + bend * t * t * across), np.float32)


def _distance(line: FloatArray, height: int, width: int) -> FloatArray:
    """How far each pixel is from the line, pixels: float32 (height, width)."""
    ground = np.full((height, width), 255, np.uint8)
    cv2.polylines(ground, [np.round(line).astype(np.int32)], False, 0, 1)
    return np.asarray(cv2.distanceTransform(ground, cv2.DIST_L2, 5), np.float32)


def _soft(distance: FloatArray, half: float, edge: float) -> FloatArray:
    """1 inside a band of half width `half`, 0 outside, with an edge of that softness."""
    return np.asarray(1 / (1 + np.exp(np.clip((distance - half) / max(edge, 0.3), -30, 30))))


def _density(rgb: RGBArray) -> FloatArray:
    return np.asarray(-np.log10(np.maximum(rgb, 1) / np.float32(_GLASS)), np.float32)


def _from_density(density: FloatArray) -> RGBArray:
    return np.asarray(np.round(np.clip(_GLASS * 10.0**-density, 0, 255)), np.uint8)


def _absorbed(rgb: RGBArray, more: FloatArray) -> RGBArray:
    return np.asarray(np.round(np.clip(rgb * 10.0**-more, 0, 255)), np.uint8)
