"""What a breast holds beside invasive tumour: fat, and ducts filled by carcinoma in situ."""

import cv2
import numpy as np
import numpy.typing as npt

from her2core.training.synthetic.noise import smooth_noise

Mask = npt.NDArray[np.bool_]


def fat(rng: np.random.Generator, side: int, mpp: float) -> tuple[Mask, Mask]:
    """Where fat lies, and the empty insides of its cells, (side, side): thin walls between them.

    A fat cell is 40 to 110 µm wide, and its contents are washed out of the section.
    """
    spacing = float(rng.uniform(40, 110))
    where = smooth_noise(rng, side, rng.uniform(120, 400) / mpp) > rng.uniform(-1.2, 0.6)
    ticks = np.arange(-spacing, side * mpp + spacing, spacing)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1)
    grid[1::2, :, 0] += spacing / 2
    centres = grid.reshape(-1, 2) + rng.normal(0, 0.12 * spacing, (grid.size // 2, 2))
    holes = np.zeros((side, side), np.uint8)
    for x, y in centres / mpp:
        a, b = rng.uniform(0.38, 0.53, 2) * spacing / mpp
        one = np.zeros((side, side), np.uint8)
        cv2.ellipse(one, (int(x), int(y)), (int(a), int(b)), rng.uniform(0, 180), 0, 360, 1, -1)
        # where two cells meet, a wall is left
        wall = cv2.dilate(holes, np.ones((2 * max(1, round(1.0 / mpp)) + 1,) * 2, np.uint8))
        holes |= one & ~wall & 1
    return where, (holes > 0) & where


def filled_ducts(rng: np.random.Generator, side: int, mpp: float) -> tuple[Mask, Mask]:
    """Round ducts full of tumour, (side, side), and the hollow or dead middle of some of them."""
    yy, xx = np.mgrid[0:side, 0:side].astype(np.float32) * np.float32(mpp)
    uneven = 1 + 0.10 * smooth_noise(rng, side, 40 / mpp)
    tumour = np.zeros((side, side), bool)
    hollow = np.zeros((side, side), bool)
    field_um = side * mpp
    for _ in range(int(rng.integers(1, 2 + int(field_um / 120)))):
        x, y = rng.uniform(0.0, field_um, 2)
        radius = float(rng.uniform(35, 140))
        distance = np.hypot(xx - x, (yy - y) * rng.uniform(0.7, 1.4)) * uneven
        tumour |= distance < radius
        if rng.random() < 0.5:
            hollow |= distance < radius * rng.uniform(0.2, 0.6)
    return tumour & ~hollow, hollow
