"""How well the stain measurement's intense membrane covers hand-drawn masks of over-expression."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from her2core.evaluation.fields import ExternalDataError, Field
from her2core.preprocessing.patches import Patch
from her2core.stain.density import glass_of
from her2core.stain.membranes import membrane_lines
from her2core.stain.report import working_maps
from her2core.stain.scale import ASSUMED_UM_PER_PIXEL
from her2core.stain.thresholds import StainThresholds


def membrane_dice(fields: Sequence[Field], patches: Sequence[Patch]) -> tuple[float | None, int]:
    """Dice over all fields with a mask together, and how many have one; None where none has.

    Twice the pixels that both call membrane, over the pixels of either (Dice, Ecology 1945;26:297).

    Raises:
        ExternalDataError: a mask cannot be read, or is not as large as its picture.
    """
    both = either = count = 0
    for field, patch in zip(fields, patches, strict=True):
        if field.mask is None:
            continue
        mask = _mask(field, patch)
        lines = _lines(patch.rgb, field.um_per_pixel or ASSUMED_UM_PER_PIXEL)
        both += int((mask & lines).sum())
        either += int(mask.sum()) + int(lines.sum())
        count += 1
    return (round(2 * both / either, 4) if either else None), count


def _lines(rgb: npt.NDArray[np.uint8], um_per_pixel: float) -> npt.NDArray[np.bool_]:
    """Where it sees intense membrane without further proof, at the picture's own size."""
    limits = StainThresholds()
    haematoxylin, dab = working_maps(rgb, um_per_pixel, glass_of(rgb))
    clear = membrane_lines(haematoxylin, dab) > limits.clear_line
    intense = (clear & (dab >= limits.intense_density)).astype(np.float32)
    height, width = rgb.shape[:2]
    return np.asarray(cv2.resize(intense, (width, height), interpolation=cv2.INTER_AREA) > 0.5)


def _mask(field: Field, patch: Patch) -> npt.NDArray[np.bool_]:
    mask = cv2.imread(str(field.mask), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise ExternalDataError(f"{field.mask} cannot be read as a picture.")
    if mask.shape != patch.rgb.shape[:2]:
        raise ExternalDataError(f"{field.mask} is not as large as its picture.")
    return np.asarray(mask > 0)
