"""Inputs that no HER2 reader should judge, by kind: made here, or taken from installed packages.

Other stains are made by her2core.training.data.restained of the HER2 images given.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from her2core.training.data.restained import Image8, as_uint8, restained

SIDE = 224


def noise(rng: np.random.Generator) -> Image8:
    """Pixel noise, coloured blocks, clouds."""
    kind = int(rng.integers(0, 4))
    if kind == 0:
        return rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    if kind == 1:
        return as_uint8(rng.normal(rng.uniform(60, 200), rng.uniform(15, 60), (SIDE, SIDE, 3)))
    size = int(rng.integers(4, 56))
    coarse = rng.uniform(0, 255, (size, size, 3)).astype(np.float32)
    way = cv2.INTER_NEAREST if kind == 2 else cv2.INTER_CUBIC
    return as_uint8(cv2.resize(coarse, (SIDE, SIDE), interpolation=way))


def blank(rng: np.random.Generator) -> Image8:
    """Empty glass, a closed shutter, one flat colour: with a camera's slight noise or without."""
    kind = int(rng.integers(0, 3))
    level = [rng.uniform(215, 252, 3), rng.uniform(0, 12, 3), rng.uniform(0, 255, 3)][kind]
    flat = np.broadcast_to(level.astype(np.float32), (SIDE, SIDE, 3))
    return as_uint8(flat + rng.normal(0, rng.choice([0.0, 1.0, 3.0]), (SIDE, SIDE, 3)))


def screenshot(rng: np.random.Generator) -> Image8:
    """A window with text, a table or a chart, light or dark."""
    dark = rng.random() < 0.4
    ground = (28, 30, 36) if dark else (252, 252, 252)
    ink = (225, 228, 232) if dark else (30, 32, 38)
    accent = tuple(int(c) for c in rng.integers(40, 220, 3))
    picture = Image.new("RGB", (2 * SIDE, 2 * SIDE), ground)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 2 * SIDE, 28), fill=accent)
    kind = int(rng.integers(0, 3))
    for row in range(14):
        y = 40 + 28 * row
        if kind == 0:
            words = "".join(
                rng.choice(list("abcdefghij klmnop qrstuv wxyz"), int(rng.integers(15, 55)))
            )
            pen.text((16, y), words, fill=ink)
        elif kind == 1:
            pen.line((10, y + 20, 2 * SIDE - 10, y + 20), fill=accent)
            for column in range(5):
                pen.text((16 + 84 * column, y), f"{rng.uniform(0, 999):.2f}", fill=ink)
        else:
            pen.rectangle((30, y, 30 + int(rng.integers(20, 360)), y + 18), fill=accent)
            pen.text((4, y), str(row), fill=ink)
    return as_uint8(np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)))


def photographs() -> list[Image8]:
    """Photographs that scikit-learn and scikit-image bring along, RGB."""
    from sklearn.datasets import load_sample_images

    names = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle_left", "color")
    return [*load_sample_images().images, *packaged([f"{name}.*" for name in names])]


def other_pictures() -> list[Image8]:
    """Pictures of science that are no histology: eye ground, stars, moon, coins, paper, stone."""
    names = ("retina", "hubble*", "moon", "coins", "page", "brick", "gravel", "grass", "cell")
    return packaged([f"{name}.*" for name in names])


def other_ihc() -> list[Image8]:
    """A real DAB IHC that is no HER2: colonic glands, FHL2 (scikit-image's `ihc.png`)."""
    return packaged(["ihc.png"])


def packaged(patterns: Sequence[str]) -> list[Image8]:
    """Pictures from scikit-image's folder of data, as uint8 RGB; none where it is not installed."""
    try:
        import skimage
    except ImportError:
        return []
    folder = Path(skimage.__file__).parent / "data"
    files = [file for pattern in patterns for file in sorted(folder.glob(pattern))]
    return [np.asarray(Image.open(file).convert("RGB")) for file in files if file.suffix != ".npz"]


def crops(picture: Image8, count: int, rng: np.random.Generator) -> list[Image8]:
    """Square crops of a picture at random places and sizes, 224 pixels wide."""
    found = []
    shortest = min(picture.shape[:2])
    for _ in range(count):
        size = int(rng.integers(max(1, min(112, shortest // 2)), shortest + 1))
        y = int(rng.integers(0, picture.shape[0] - size + 1))
        x = int(rng.integers(0, picture.shape[1] - size + 1))
        way = cv2.INTER_AREA if size > SIDE else cv2.INTER_CUBIC
        found.append(
            cv2.resize(picture[y : y + size, x : x + size], (SIDE, SIDE), interpolation=way)
        )
    return found


DRAWN: dict[str, Callable[[np.random.Generator], Image8]] = {
    "noise": noise,
    "blank": blank,
    "screenshots": screenshot,
}
PACKAGED: dict[str, Callable[[], list[Image8]]] = {
    "photographs": photographs,
    "other pictures": other_pictures,
    "other DAB IHC (colon)": other_ihc,
}


def unfamiliar(sources: Sequence[Image8], count: int, seed: int) -> dict[str, list[Image8]]:
    """`count` inputs of every kind, uint8 (224, 224, 3); fewer where no package brings pictures.

    Args:
        sources: HER2 images that are restained.
        count: inputs of each kind.
        seed: of everything drawn.
    """
    rng = np.random.default_rng(seed)
    found = restained(sources, count, rng)
    for name, drawn in DRAWN.items():
        found[name] = [drawn(rng) for _ in range(count)]
    for name, pictures in PACKAGED.items():
        available = pictures()
        each = -(-count // max(1, len(available)))
        found[name] = [crop for one in available for crop in crops(one, each, rng)][:count]
    return found
