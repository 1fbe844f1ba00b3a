"""From stain densities to pixels: Beer-Lambert, white balance, focus, sharpening, noise, JPEG.

The default colours were fitted to fourteen real HER2 IHC cores scanned at 40x (bozeklab/HER2-
overexpression, Apache-2.0): numbers only, no image of them is part of this project.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.optics import DAB, HAEMATOXYLIN
from her2core.training.synthetic.noise import Field, smooth_noise

# proteins and everything unspecific: nearly grey, a little less blue
GROUND = (0.600, 0.620, 0.505)
GLASS = (251.0, 250.0, 254.0)


@dataclass(frozen=True)
class Densities:
    """Optical densities (side, side) of the three absorbers, >= 0."""

    haematoxylin: Field
    dab: Field
    ground: Field


@dataclass(frozen=True)
class Camera:
    """One scanner or microscope camera with its settings."""

    glass: tuple[float, float, float]
    haematoxylin: npt.NDArray[np.float64]
    dab: npt.NDArray[np.float64]
    blur: float
    sharpen: float
    noise: float
    vignette: float
    gamma: float
    jpeg: int | None


def draw_camera(rng: np.random.Generator, variety: float = 1.0) -> Camera:
    """Draw a camera; `variety` 0 is the fitted scanner, 1 the whole range, above 1 beyond it."""
    tint = 1 + 0.02 * variety * rng.standard_normal(3)
    # most scanners show glass nearly white, a microscope camera often grey or tinted
    level = 1.0 if rng.random() < 0.7 else 1 - 0.15 * variety * rng.random()
    glass = np.clip(np.array(GLASS) * tint * level, 170, 255)

    def vary(vector: tuple[float, float, float]) -> npt.NDArray[np.float64]:
        moved = np.array(vector) * np.exp(0.045 * variety * rng.standard_normal(3))
        return np.asarray(moved / np.linalg.norm(moved))

    return Camera(
        glass=(float(glass[0]), float(glass[1]), float(glass[2])),
        haematoxylin=vary(HAEMATOXYLIN),
        dab=vary(DAB),
        blur=float(rng.uniform(0.0, 0.5) if rng.random() < 0.75 else rng.uniform(0.5, 1.3)),
        sharpen=float(rng.uniform(0.0, 1.0) if rng.random() < 0.6 else 0.0),
        noise=float(rng.uniform(0.0, 2.5) * variety),
        vignette=float(rng.uniform(0.0, 0.08) * variety if rng.random() < 0.3 else 0.0),
        gamma=float(np.exp(0.06 * variety * rng.standard_normal())),
        jpeg=int(rng.integers(55, 96)) if rng.random() < 0.8 else None,
    )


def expose(
    densities: Densities, camera: Camera, size: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Take the picture: (size, size, 3) uint8 RGB of the densities."""
    optical = (
        densities.haematoxylin[..., None] * camera.haematoxylin.astype(np.float32)
        + densities.dab[..., None] * camera.dab.astype(np.float32)
        + densities.ground[..., None] * np.array(GROUND, np.float32)
    )
    light = np.exp(-np.float32(np.log(10) * camera.gamma) * optical)
    light = cv2.resize(light, (size, size), interpolation=cv2.INTER_AREA)
    if camera.blur > 0.05:
        light = cv2.GaussianBlur(light, (0, 0), camera.blur)
    if camera.sharpen > 0:
        soft = cv2.GaussianBlur(light, (0, 0), 1.0)
        light = light + np.float32(camera.sharpen) * (light - soft)
    if camera.vignette > 0:
        yy, xx = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
        light = light * (1 - camera.vignette * (xx**2 + yy**2) / 2)[..., None].astype(np.float32)
    picture = light * np.array(camera.glass, np.float32)
    if camera.noise > 0:
        grain = rng.standard_normal((size, size)).astype(np.float32)
        picture = picture + (camera.noise * grain + smooth_noise(rng, size, 3))[..., None]
    pixels = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    if camera.jpeg is not None:
        _, coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg])
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1]
    return np.ascontiguousarray(pixels)
