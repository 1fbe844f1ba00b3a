"""From a small class-activation map to the heat that is drawn: enlarged, and scaled to one.

No tensorflow, no method: how a map is made is said in the file named after it.
"""

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
SIDE = 224


def enlarged(maps: Floats) -> Floats:
    """Bilinear enlargement, edges repeated: float32 (n, h, w) to (n, 224, 224)."""
    large = [cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for one in maps]
    return np.stack(large).astype(np.float32, copy=False)


def scaled(heats: Floats) -> tuple[Floats, Floats]:
    """Divide each map by its largest size.

    Args:
        heats: float32 (n, h, w), signed or not.

    Returns:
        float32 (n, h, w) in [-1, 1], or [0, 1] where nothing is negative, and the sizes (n,) that
        1.0 now stands for. An empty map stays empty and has size 0.
    """
    sizes = np.abs(heats).max(axis=(1, 2))
    divisors = np.where(sizes > 0, sizes, 1)[:, None, None]
    return (heats / divisors).astype(np.float32, copy=False), sizes.astype(np.float32)
