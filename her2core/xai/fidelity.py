"""Does a map tell the truth? Measures that need only the map, the patch and the network's answers.

Deletion and insertion: Petsiuk et al., RISE, BMVC 2018. Randomised weights: Adebayo et al., Sanity
checks for saliency maps, NeurIPS 2018. Pointing game: Zhang et al., Top-down neural attention, IJCV
2018. No tensorflow: the network is a function given by the caller.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
STEPS = 10
# Blurring takes membranes away without putting in edges that no tissue has.
_BLUR = 16.0
_JPEG_QUALITY = 75
SHIFT = (3, 5)


@dataclass(frozen=True)
class Curves:
    """The probability of a class while pixels are taken away or put back, most important first.

    Attributes:
        deletion: float64 (steps + 1,), from the whole patch to the blurred one.
        insertion: float64 (steps + 1,), from the blurred patch to the whole one.
    """

    deletion: Doubles
    insertion: Doubles

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve; low where the map marks what mattered."""
        return _area(self.deletion)

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve; high where the map marks what mattered."""
        return _area(self.insertion)

    @property
    def gain(self) -> float:
        """Insertion less deletion area, in [-1, 1]; about 0 for a map without information."""
        return self.insertion_area - self.deletion_area


def importance_order(heat: Floats, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Pixels of a map (h, w) by falling heat, as flat indices; equal ones in random order."""
    return np.lexsort((rng.random(heat.size), -heat.ravel()))


def curves(
    probability: Callable[[Floats], Doubles],
    pixels: Floats,
    order: npt.NDArray[np.int64],
    steps: int = STEPS,
) -> Curves:
    """Delete and insert pixels in the given order, a `steps`-th of the patch at a time.

    Args:
        probability: of the class explained, (n,), for pixels float32 (n, h, w, 3).
        pixels: float32 (h, w, 3) in [0, 1].
        order: flat indices of all pixels, most important first.
        steps: 1 or more.
    """
    blurred = np.clip(cv2.GaussianBlur(pixels, (0, 0), _BLUR), 0, 1)
    places = np.empty(order.size, np.int64)
    places[order] = np.arange(order.size)
    rank = places.reshape(pixels.shape[:2])
    firsts = [rank < round(order.size * step / steps) for step in range(steps + 1)]
    without = [np.where(first[..., None], blurred, pixels) for first in firsts]
    # nothing inserted is everything deleted, and the other way round
    only = [np.where(first[..., None], pixels, blurred) for first in firsts[1:-1]]
    answers = np.asarray(probability(np.stack(without + only)), np.float64)
    deletion = answers[: steps + 1]
    insertion = np.concatenate([deletion[-1:], answers[steps + 1 :], deletion[:1]])
    return Curves(deletion, insertion)


def rank_correlation(one: Floats | Doubles, other: Floats | Doubles) -> float:
    """Spearman's correlation of two maps in [-1, 1]; an empty map is like an empty one only."""
    flat = [float(np.ptp(heat)) == 0 for heat in (one, other)]
    if any(flat):
        return float(all(flat))
    return float(spearmanr(one.ravel(), other.ravel()).statistic)


def shifted(pixels: Floats) -> Floats:
    """The patch moved down and right by `SHIFT` pixels, its edges mirrored."""
    down, right = SHIFT
    padded = np.pad(pixels, ((down, 0), (right, 0), (0, 0)), mode="reflect")
    return padded[: pixels.shape[0], : pixels.shape[1]]


def shift_correlation(heat: Floats, of_shifted: Floats) -> float:
    """How alike a map and that of the shifted patch are, where both show the same tissue."""
    down, right = SHIFT
    return rank_correlation(
        heat[: heat.shape[0] - down, : heat.shape[1] - right], of_shifted[down:, right:]
    )


def recompressed(pixels: Floats) -> Floats:
    """The patch after JPEG compression, float32 (h, w, 3) in [0, 1]."""
    rgb = np.rint(pixels * 255).astype(np.uint8)
    done, coded = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    if not done:
        raise ValueError("The patch could not be compressed.")
    back = cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return np.asarray(back, np.float32) / np.float32(255)


def pointing(heat: Floats, mask: Mask, tolerance: int = 4) -> float | None:
    """Pointing game: 1 where the hottest pixel lies in the mask or that near it, else 0.

    Several equally hot pixels give the share of them that do; a map without heat gives None.
    """
    top = float(heat.max())
    if not top > 0:
        return None
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * tolerance + 1, 2 * tolerance + 1))
    near = cv2.dilate(mask.astype(np.uint8), kernel) > 0
    return float(near[heat == top].mean())


def mass_inside(heat: Floats, mask: Mask) -> float | None:
    """Share of the positive heat that lies in the mask, in [0, 1]; None without any."""
    positive = np.maximum(heat, 0).astype(np.float64)
    total = float(positive.sum())
    return float(positive[mask].sum()) / total if total > 0 else None


def _area(curve: Doubles) -> float:
    return float(np.trapezoid(curve, dx=1 / (len(curve) - 1)))
