"""Which cells look like tumour: only these count for the score.

Stroma, vessels, lymphocytes and debris do not express HER2; counted, they thin the stained cells
out, and where they lie in a gap between nests they borrow the membranes round it. Four signs of the
nucleus and two of the cell are weighed (logistic regression), and the mean of the same signs over
its nearest neighbours: tumour cells lie in nests, fibroblasts in strands between them, and a gap is
paler than the cytoplasm round it. Sizes, unevenness and cytoplasm are taken relative to the image's
own median, so that a wrong scale, another tumour or a scanner's sharpening does not shift them.
"""

import numpy as np
from scipy.spatial import cKDTree

from her2core.stain.density import FloatImage
from her2core.stain.nuclei import WORKING_UM, Nuclei
from her2core.stain.rims import Rims

# log odds per unit of each sign of the cell, then of its neighbours' mean: `python -m
# training.fit_tumour_odds` on 30,342 cells of 480 synthetic patches
_CONSTANT = 2.79
_OWN = np.array([-1.50, -2.45, -6.43, 0.55, 0.64, 9.13])
_NEIGHBOURS = np.array([-3.17, 0.64, -1.97, -1.53, 0.76, -6.96])
_NEAREST = 6
# below it: debris, and pictures too coarse to tell
LEAST_DIAMETER_UM = 4.2
# beyond it brownness says no more
_BROWNNESS = (-1.0, 2.0)


def tumour_odds(nuclei: Nuclei, rims: Rims) -> FloatImage:
    """Log odds (n,) that each cell is a tumour cell, by its look and its neighbours'.

    Nuclei below 4.2 µm are never tumour. Small round tumour cells look like lymphocytes to anyone
    who sees no more than this: what is found is tumour-*like*.

    Args:
        nuclei: n nuclei.
        rims: the rims of their cells.
    """
    if not len(nuclei):
        return np.zeros(0, np.float32)
    odds = _CONSTANT + tumour_signs(nuclei, rims) @ np.concatenate([_OWN, _NEIGHBOURS])
    odds[nuclei.diameter_um < LEAST_DIAMETER_UM] = -np.inf
    return np.asarray(odds, dtype=np.float32)


def tumour_signs(nuclei: Nuclei, rims: Rims) -> FloatImage:
    """The signs (n, 12) of n >= 1 cells: six of each cell, then their means over its neighbours.

    Log elongation, excess brownness, unevenness and log diameter of the nucleus, log area of the
    cell, DAB optical density of its cytoplasm; the last four less the image's median. In brown or
    grey cytoplasm every nucleus looks brown: what it has more of than its surroundings counts.
    """
    own = np.stack(
        [
            np.log(nuclei.elongation),
            np.clip(nuclei.excess_brownness, *_BROWNNESS),
            _less_median(nuclei.unevenness),
            _less_median(np.log(nuclei.diameter_um)),
            _less_median(np.log(_areas_um2(rims.outlines) + 1)),
            _less_median(rims.cytoplasm),
        ],
        axis=1,
    )
    around = own
    if len(nuclei) > 1:
        nearest = min(_NEAREST + 1, len(nuclei))
        _, near = cKDTree(nuclei.centres).query(nuclei.centres, k=nearest)
        around = own[near[:, 1:]].mean(axis=1)
    return np.asarray(np.hstack([own, around]), dtype=np.float32)


def _less_median(values: FloatImage) -> FloatImage:
    """Values (n,) less their median; 0, which tells nothing, where one is not a number."""
    known = values[np.isfinite(values)]
    usual = np.median(known) if len(known) else 0.0
    return np.nan_to_num(np.asarray(values - usual, dtype=np.float32))


def _areas_um2(outlines: FloatImage) -> FloatImage:
    """Areas (n,) within closed outlines (n, k, 2) in working pixels (the shoelace formula)."""
    x, y = outlines[..., 0], outlines[..., 1]
    twice = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
    return np.asarray(np.abs(twice) / 2 * WORKING_UM**2, dtype=np.float32)
