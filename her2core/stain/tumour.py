"""Which nuclei look like tumour: only these cells count for the score.

Stroma, vessels, lymphocytes and debris do not express HER2; counted, they thin the stained cells
out. Four signs of a nucleus are weighed (logistic regression), and the mean of the same signs over
its nearest neighbours: tumour cells lie in nests, fibroblasts in strands between them. Size and
unevenness are taken relative to the image's own median, so that a wrong scale, another tumour or a
scanner's sharpening does not shift them.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from her2core.stain.density import FloatImage
from her2core.stain.nuclei import Nuclei

# log odds per unit of: log elongation, excess brownness, unevenness and log diameter, the last two
# less the image's median; of the nucleus, then of its neighbours. Fitted to 22,000 nuclei of 320
# synthetic patches of all classes (seeds 9001 to 9004).
_CONSTANT = 2.95
_OWN = np.array([-1.55, -3.61, -7.6, 1.59])
_NEIGHBOURS = np.array([-3.19, 1.5, -4.28, -0.73])
_NEAREST = 6
# below it: debris, and pictures too coarse to tell
_LEAST_DIAMETER_UM = 4.2
# beyond it brownness says no more
_BROWNNESS = (-1.0, 2.0)


def tumour_odds(nuclei: Nuclei) -> FloatImage:
    """Log odds (n,) that each nucleus is a tumour cell's, by its look and its neighbours'.

    In brown or grey cytoplasm every nucleus looks brown: what it has more of than its surroundings
    counts. Nuclei below 4.2 µm are never tumour. Small round tumour nuclei look like lymphocytes to
    anyone who sees nothing but nuclei: what is found is tumour-*like*.
    """
    count = len(nuclei)
    if count == 0:
        return np.zeros(0, np.float32)
    diameter = np.log(nuclei.diameter_um)
    own = np.stack(
        [
            np.log(nuclei.elongation),
            np.clip(nuclei.excess_brownness, *_BROWNNESS),
            nuclei.unevenness - np.median(nuclei.unevenness),
            diameter - np.median(diameter),
        ],
        axis=1,
    )
    around = own
    if count > 1:
        _, near = cKDTree(nuclei.centres).query(nuclei.centres, k=min(_NEAREST + 1, count))
        around = own[near[:, 1:]].mean(axis=1)
    odds = _CONSTANT + own @ _OWN + around @ _NEIGHBOURS
    odds[nuclei.diameter_um < _LEAST_DIAMETER_UM] = -np.inf
    return np.asarray(odds, dtype=np.float32)
