"""Other stains made of HER2 images: the haematoxylin is kept, the DAB replaced.

What another stain would show at the same magnification, grain and focus, so that only the stain
differs. A bundle is shown some of them to learn what HER2 is not (training.add_novelty), and is
measured on those of cores it never saw (benchmarks.novelty).
"""

from collections.abc import Callable, Sequence
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from her2core.common.optics import AEC, DAB, EOSIN, FAST_RED, HAEMATOXYLIN
from her2core.stain.density import measure, separate
from her2core.stain.membranes import membrane_lines
from her2core.stain.nuclei import find_nuclei

Image8 = npt.NDArray[np.uint8]
Densities = npt.NDArray[np.float32]
# share of the tissue that must be brown for a red chromogen to show
_ENOUGH_DAB = 0.05


def h_and_e(source: Image8, rng: np.random.Generator) -> Image8:
    """The tissue in haematoxylin and eosin: pink where there is cytoplasm or stroma."""
    blue, brown = separate(source)
    grain = cv2.GaussianBlur(blue + brown, (0, 0), 1.0)
    body = cv2.GaussianBlur((blue + brown > 0.08).astype(np.float32), (0, 0), 1.5)
    pink = body * rng.uniform(0.15, 0.35) + 0.4 * grain * rng.uniform(0.5, 1.0)
    return _stained([(HAEMATOXYLIN, blue * rng.uniform(1.0, 1.8)), (EOSIN, pink)])


def nuclear_stain(source: Image8, rng: np.random.Generator) -> Image8:
    """A nuclear marker (as ER or Ki-67) in DAB: brown nuclei, no membrane."""
    blue, brown = separate(source)
    nuclei = find_nuclei(blue, brown, membrane_lines(blue, brown))
    positive = rng.random(len(nuclei) + 1) < rng.uniform(0.4, 0.95)
    positive[0] = False
    mask = cv2.GaussianBlur(positive[nuclei.labels].astype(np.float32), (0, 0), 0.7)
    strength = rng.uniform(1.2, 2.5)
    return _stained(
        [(HAEMATOXYLIN, blue * (1 - 0.7 * mask)), (DAB, blue * mask * strength + 0.05 * mask)]
    )


def red_chromogen(source: Image8, rng: np.random.Generator) -> Image8:
    """The same staining in a red chromogen (AEC or Fast Red) instead of brown DAB."""
    blue, brown = separate(source)
    red = AEC if rng.random() < 0.5 else FAST_RED
    return _stained([(HAEMATOXYLIN, blue), (red, brown * rng.uniform(0.9, 1.5))])


def fluorescence(source: Image8, rng: np.random.Generator) -> Image8:
    """Immunofluorescence: dark ground, blue nuclei, a green or red membrane marker."""
    blue, brown = separate(source)
    light = np.zeros((*blue.shape, 3), np.float32)
    light[..., 2] = blue / max(float(np.percentile(blue, 99)), 0.05)
    channel = int(rng.integers(0, 2))
    light[..., channel] = brown / max(float(np.percentile(brown, 99.5)), 0.1)
    noise = rng.normal(0, 0.02, light.shape)
    return as_uint8(255 * np.clip(0.03 + rng.uniform(0.6, 1.0) * light + noise, 0, 1))


RESTAINED: dict[str, Callable[[Image8, np.random.Generator], Image8]] = {
    "H&E": h_and_e,
    "nuclear DAB stain": nuclear_stain,
    "red chromogen": red_chromogen,
    "fluorescence": fluorescence,
}


def restained(
    sources: Sequence[Image8], count: int, rng: np.random.Generator
) -> dict[str, list[Image8]]:
    """`count` images of every stain, uint8 like the HER2 images they are made of.

    A red chromogen shows only where there is DAB to replace: it is made of stained sources, and of
    none where there are none.
    """
    brown = (image for image in sources if measure(image).moderate > _ENOUGH_DAB)
    stained = list(islice(brown, count))  # measuring takes time, and no more are drawn from
    found = {}
    for name, made in RESTAINED.items():
        of = stained if made is red_chromogen else sources
        found[name] = [made(of[i % len(of)], rng) for i in range(count)] if of else []
    return found


def _stained(parts: Sequence[tuple[tuple[float, float, float], Densities]]) -> Image8:
    density = sum(amount[..., None] * np.array(stain, np.float32) for stain, amount in parts)
    return as_uint8(245 * 10 ** (-np.asarray(density)))


def as_uint8(values: npt.ArrayLike) -> Image8:
    """Values rounded and clipped to [0, 255]."""
    return np.asarray(np.clip(np.round(np.asarray(values, np.float64)), 0, 255), dtype=np.uint8)
