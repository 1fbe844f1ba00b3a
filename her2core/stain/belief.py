"""Whether a faint line round a cell is a membrane, or a chance alignment of other brown.

Grains of brown cytoplasm line up, and cytoplasm that spares its nucleus is a brown web with holes:
both give faint lines round cells. One cell hardly tells which it is, but all cells of an image were
stained in the same bath. So what is usual in the image is weighed (logistic regression): how far
lines stand out, how far they stand out of the texture of their cell's cytoplasm, whether their
density falls off to both sides, for the edge of a brown area is no membrane, and whether both sides
are equally dense, for a web is pale only towards its nuclei. Where few cells have lines, each
speaks more for itself.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from her2core.stain.density import FloatImage
from her2core.stain.rims import Rims

# log odds per unit, fitted to cells with faint lines of 380 synthetic patches (seeds 7301 and
# 9303), every patch of about the same weight: cells with a stained membrane, of patches of classes
# 0 to 2, against those of patches of class 0 that are brown and hold no stained membrane
_CONSTANT = -8.06
_PER_LOG_OVER_TEXTURE = 3.97
_PER_LOG_LINE = 1.64
_PER_FALL = 20.42
_PER_ONE_SIDED = -7.49
# what lines reach in even cytoplasm, DAB optical density
_LEAST_TEXTURE = 0.005
# how many cells with lines tell of a cell as much as its own line does
_FEW_CELLS = 3.0


class Signs(NamedTuple):
    """Medians over the stained parts of each of n rims, DAB optical density, float32 (n,).

    Attributes:
        line: by how much the line stands out.
        brown: on the line.
        beside: on its denser side.
        inside: on the side of the nucleus.
    """

    line: FloatImage
    brown: FloatImage
    beside: FloatImage
    inside: FloatImage


def signs_of(rims: Rims, stained: npt.NDArray[np.bool_]) -> Signs:
    """What the stained parts (n, 32) of n rims show."""
    return Signs(
        masked_quantile(rims.line, stained, 0.5),
        masked_quantile(rims.dab, stained, 0.5),
        masked_quantile(rims.flanks.max(axis=2), stained, 0.5),
        masked_quantile(rims.flanks[..., 0], stained, 0.5),
    )


def membrane_odds(
    signs: Signs, texture: FloatImage, candidate: npt.NDArray[np.bool_]
) -> FloatImage:
    """Log odds (n,) that the stained parts of each rim are a membrane.

    Args:
        signs: of n rims.
        texture: (n,), of each cell's own cytoplasm, as in `Rims`.
        candidate: cells (n,) with enough stained parts to be called stained; what is usual is the
            median of these.
    """
    line, brown, beside, inside = signs
    least_line, least_brown = np.maximum(line, 1e-3), np.maximum(brown, 1e-3)
    weighed = (
        (_PER_LOG_OVER_TEXTURE, np.log(least_line / (texture + _LEAST_TEXTURE))),
        (_PER_LOG_LINE, np.log(least_line)),
        (_PER_FALL, (brown - beside) / least_brown),
        (_PER_ONE_SIDED, (beside - np.maximum(inside, 0)) / least_brown),
    )
    odds = np.full(len(line), _CONSTANT)
    count = int(candidate.sum())
    for weight, sign in weighed:
        usual = float(np.median(sign[candidate])) if count else 0.0
        odds += weight * (count * usual + _FEW_CELLS * sign) / (count + _FEW_CELLS)
    return np.asarray(odds, dtype=np.float32)


def masked_quantile(values: FloatImage, mask: npt.NDArray[np.bool_], quantile: float) -> FloatImage:
    """A quantile of each row's masked values, 0 where none is masked."""
    ordered = np.sort(np.where(mask, values, np.inf), axis=1)
    count = mask.sum(axis=1)
    at = np.minimum((quantile * count).astype(int), np.maximum(count - 1, 0))
    picked = ordered[np.arange(len(values)), at]
    return np.where(count > 0, picked, 0).astype(np.float32)
