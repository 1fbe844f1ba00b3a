"""How other microscopes would have shown a picture: appearance, not tissue, drawn at random.

A network that learnt from few scanners takes their look for the stain. Four looks are drawn beside
the picture as it is: glass burnt out to white and sharp, as 40x scanners give it; grey and
under-exposed, as at 20x; and a camera's photograph, sharpened and stretched in contrast. Then fewer
pixels, chroma-subsampled JPEG, noise.
"""

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.optics import DAB, HAEMATOXYLIN
from her2core.stain.density import MIXING

Floats = npt.NDArray[np.float32]
LOOKS = ("burnt", "grey", "photograph", "plain")
_LOOK_SHARES = (0.25, 0.25, 0.30, 0.20)
_UNMIX = np.linalg.inv(MIXING.T)
_STAIN_SPREAD = 0.07


def seen_by_another(
    picture: Floats, rng: np.random.Generator, look: str | None = None
) -> npt.NDArray[np.uint8]:
    """A picture as another microscope might have shown it.

    Args:
        picture: float32 (side, side, 3) in [0, 1].
        rng: source of randomness.
        look: one of `LOOKS`; None draws one.

    Returns:
        uint8 (side, side, 3).
    """
    look = look or str(rng.choice(LOOKS, p=_LOOK_SHARES))
    light = _other_dyes(picture, rng)
    if look == "burnt":
        light = _burnt(light, rng)
    elif look == "grey":
        light = _grey(light, rng)
    elif look == "photograph":
        light = _photograph(light, rng)
    return _stored(light, rng)


def _other_dyes(light: Floats, rng: np.random.Generator) -> Floats:
    """Another batch of haematoxylin and DAB: their colours stray, each for itself."""
    vectors = []
    for vector in (HAEMATOXYLIN, DAB):
        moved = np.array(vector) * np.exp(_STAIN_SPREAD * rng.standard_normal(3))
        vectors.append(moved * np.linalg.norm(vector) / np.linalg.norm(moved))
    residual = np.cross(*vectors)
    mixing = np.stack([*vectors, residual / np.linalg.norm(residual)]).T
    strength = np.diag([np.exp(0.2 * rng.standard_normal()), 1.0, 1.0])
    matrix = mixing @ strength @ _UNMIX
    density = cv2.transform(np.log(np.maximum(light, 1 / 255)).astype(np.float32), matrix)
    return np.asarray(np.clip(cv2.exp(density), 0, 1), np.float32)


def _burnt(light: Floats, rng: np.random.Generator) -> Floats:
    white = float(np.percentile(light, 99)) * float(rng.uniform(0.88, 0.98))
    black = float(rng.uniform(0.0, 0.08))
    stretched = (light - np.float32(black)) / np.float32(max(white - black, 0.3))
    return _sharpened(stretched, rng.uniform(0.0, 1.2), rng.uniform(0.7, 1.2))


def _grey(light: Floats, rng: np.random.Generator) -> Floats:
    glass = rng.uniform(0.65, 0.92) * (1 + 0.02 * rng.standard_normal(3))
    haze = rng.uniform(0.0, 0.08)
    soft = light ** np.float32(rng.uniform(0.8, 1.1))
    if rng.random() < 0.5:
        soft = cv2.GaussianBlur(soft, (0, 0), rng.uniform(0.4, 0.9))
    return np.asarray((haze + (1 - haze) * soft) * glass, np.float32)


def _photograph(light: Floats, rng: np.random.Generator) -> Floats:
    side = light.shape[0]
    middle = np.float32(np.median(light))
    gain = np.float32(rng.uniform(1.0, 1.6))
    stretched = middle + gain * (light - middle)
    grey = stretched.mean(axis=2, keepdims=True)
    vivid = grey + np.float32(rng.uniform(0.9, 1.5)) * (stretched - grey)
    sharp = _sharpened(vivid, rng.uniform(0.3, 2.0), rng.uniform(0.8, 2.5))
    if rng.random() < 0.4:
        yy, xx = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        fall = rng.uniform(0.0, 0.2) * (xx**2 + yy**2) / 2
        sharp = sharp * (1 - fall)[..., None].astype(np.float32)
    tint = rng.uniform(0.75, 1.05) * (1 + 0.03 * rng.standard_normal(3))
    return np.asarray(sharp * tint, np.float32)


def _sharpened(light: Floats, amount: float, sigma: float) -> Floats:
    soft = cv2.GaussianBlur(light, (0, 0), sigma)
    return np.asarray(light + np.float32(amount) * (light - soft), np.float32)


def _stored(light: Floats, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Noise, fewer pixels now and then, JPEG with halved chroma."""
    side = light.shape[0]
    noise = np.float32(rng.uniform(0.0, 0.015))
    if rng.random() < 0.35:
        fewer = int(side * rng.uniform(0.45, 0.95))
        light = cv2.resize(light, (fewer, fewer), interpolation=cv2.INTER_AREA)
    grain = noise * rng.standard_normal(light.shape[:2], dtype=np.float32)[..., None]
    pixels = np.clip(np.round((light + grain) * 255), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = int(rng.integers(35, 96))
        _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
    if len(pixels) != side:
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(pixels)
