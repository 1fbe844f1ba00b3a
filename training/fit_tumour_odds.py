"""Fit the weights by which the stain measurement tells tumour cells: her2core/stain/tumour.py.

    python -m training.fit_tumour_odds [--per-class N] [--seed S]

Synthetic patches are made, the cells of each are found as the measurement finds them, and a
logistic regression learns which of them lie where the generator drew a tumour cell. The weights
are printed as they stand in tumour.py; `python -m benchmarks.stain` measures on other patches.
"""

import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from her2core.common.commands import command_parser
from her2core.scores import HER2Score
from her2core.stain.density import glass_of
from her2core.stain.membranes import membrane_lines
from her2core.stain.nuclei import WORKING_UM, find_nuclei
from her2core.stain.report import working_maps
from her2core.stain.rims import find_rims
from her2core.stain.tumour import LEAST_DIAMETER_UM, tumour_signs
from her2core.training.synthetic import GeneratorConfig
from training.make_synthetic import Job

# what a reviewer uploads: a field of 90 to 180 µm in 448 pixels (40x to 20x)
_CONFIG = GeneratorConfig(size=448, field_um=(90.0, 180.0))
# a cell is the drawn one whose centre is nearest, if it is no farther than this
_NEAR_UM = 5.0
# weak: there are a thousand times more cells than weights
_INVERSE_PENALTY = 10.0

Cells = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]


def cells_of(job: Job) -> Cells:
    """Signs (n, 12) of the cells found in one patch, and which (n,) are drawn tumour cells."""
    patch = job.make()
    um_per_pixel = patch.field_um / len(patch.rgb)
    maps = working_maps(patch.rgb, um_per_pixel, glass_of(patch.rgb))
    lines = membrane_lines(*maps)
    nuclei = find_nuclei(*maps, lines)
    if not len(nuclei):
        return np.zeros((0, 12), np.float32), np.zeros(0, bool)
    signs = tumour_signs(nuclei, find_rims(nuclei, lines, maps[1]))
    drawn = _drawn(nuclei.centres * WORKING_UM, patch.centres * um_per_pixel)
    counted = nuclei.diameter_um >= LEAST_DIAMETER_UM
    return signs[counted], drawn[counted]


def _drawn(
    found: npt.NDArray[np.floating], truth: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Which of the found centres (n, 2) stand for one of the true ones (m, 2), each for its own."""
    stands = np.zeros(len(found), bool)
    if not len(truth):
        return stands
    distance, nearest = cKDTree(truth).query(found)
    taken: set[int] = set()
    for cell in np.argsort(distance):
        if distance[cell] < _NEAR_UM and int(nearest[cell]) not in taken:
            taken.add(int(nearest[cell]))
            stands[cell] = True
    return stands


def fitted(cells: Sequence[Cells]) -> tuple[float, npt.NDArray[np.float64], float]:
    """Constant, weights (12,) and area under the ROC curve on the cells themselves."""
    signs = np.concatenate([each for each, _ in cells])
    drawn = np.concatenate([each for _, each in cells])
    spread = signs.std(axis=0)
    model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=3000).fit(signs / spread, drawn)
    weights = model.coef_[0] / spread
    constant = float(model.intercept_[0])
    return constant, weights, float(roc_auc_score(drawn, constant + signs @ weights))


def main(arguments: Sequence[str] | None = None) -> int:
    """Make patches, fit and print."""
    parser = command_parser("training.fit_tumour_odds", __doc__)
    parser.add_argument("--per-class", type=int, default=120, help="patches of each class")
    parser.add_argument("--seed", type=int, default=9501)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    if min(options.per_class, options.workers) < 1:
        parser.error("--per-class and --workers must be 1 or more.")
    jobs = [
        Job(score, index, options.seed, _CONFIG)
        for score in HER2Score
        for index in range(options.per_class)
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=context) as pool:
        cells = list(pool.map(cells_of, jobs, chunksize=4))
    constant, weights, area = fitted(cells)
    for name, values in (("_OWN", weights[:6]), ("_NEIGHBOURS", weights[6:])):
        print(f"{name} = np.array([{', '.join(f'{value:.2f}' for value in values)}])")
    print(f"_CONSTANT = {constant:.2f}")
    count = sum(len(drawn) for _, drawn in cells)
    print(f"# {count} cells of {len(jobs)} patches, area under the ROC curve {area:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
