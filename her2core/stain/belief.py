"""Whether a faint line round a cell is a membrane, or a chance alignment of other brown.

Grains of brown cytoplasm line up, and cytoplasm that spares its nucleus is a brown web with holes:
both give faint lines round cells. No single sign tells them from a faint membrane, so three are
weighed (logistic regression): how far the line stands out, how far it stands out of the texture of
the cell's own cytoplasm, and whether its density falls off to both sides, for the edge of a brown
area is no membrane. All cells of one image were stained in the same bath; what most of them show
is therefore evidence for each of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from her2core.stain.density import FloatImage
from her2core.stain.rims import Rims

# log odds per unit, fitted to cells of 220 synthetic patches of classes 0 and 1 (seeds 7001, 7003,
# 7011 and 7021): those with a stained membrane against those of patches that hold none
_CONSTANT = 0.97
_PER_LOG_OVER_TEXTURE = 1.94
_PER_LOG_LINE = 2.13
_PER_FALL = 4.94
# what lines reach in even cytoplasm, DAB optical density
_LEAST_TEXTURE = 0.005
# weight of the image's median beside the cell's own odds, and how many cells make half of it
_IMAGE = 0.5
_FEW_CELLS = 3.0


class Signs(NamedTuple):
    """Medians over the stained parts of each of n rims, DAB optical density, float32 (n,).

    Attributes:
        line: by how much the line stands out.
        brown: on the line.
        beside: on its denser side.
    """

    line: FloatImage
    brown: FloatImage
    beside: FloatImage


def signs_of(rims: Rims, stained: npt.NDArray[np.bool_]) -> Signs:
    """What the stained parts (n, 32) of n rims show."""
    return Signs(
        masked_quantile(rims.line, stained, 0.5),
        masked_quantile(rims.dab, stained, 0.5),
        masked_quantile(rims.flanks.max(axis=2), stained, 0.5),
    )


def membrane_odds(
    signs: Signs, texture: FloatImage, candidate: npt.NDArray[np.bool_]
) -> FloatImage:
    """Log odds (n,) that the stained parts of each rim are a membrane.

    Args:
        signs: of n rims.
        texture: (n,), of each cell's own cytoplasm, as in `Rims`.
        candidate: cells (n,) with enough stained parts to be called stained; what the median of
            these shows counts for every cell.
    """
    line, brown, beside = signs
    own = (
        _CONSTANT
        + _PER_LOG_OVER_TEXTURE * np.log(np.maximum(line, 1e-3) / (texture + _LEAST_TEXTURE))
        + _PER_LOG_LINE * np.log(np.maximum(line, 1e-3))
        + _PER_FALL * (brown - beside) / np.maximum(brown, 1e-3)
    )
    count = int(candidate.sum())
    image = float(np.median(own[candidate])) * count / (count + _FEW_CELLS) if count else 0.0
    return np.asarray(own + _IMAGE * image, dtype=np.float32)


def masked_quantile(values: FloatImage, mask: npt.NDArray[np.bool_], quantile: float) -> FloatImage:
    """A quantile of each row's masked values, 0 where none is masked."""
    ordered = np.sort(np.where(mask, values, np.inf), axis=1)
    count = mask.sum(axis=1)
    at = np.minimum((quantile * count).astype(int), np.maximum(count - 1, 0))
    picked = ordered[np.arange(len(values)), at]
    return np.where(count > 0, picked, 0).astype(np.float32)
