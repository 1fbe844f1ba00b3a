"""Check whether a bundle's heat maps tell the truth, and put the figures into its folder.

    python -m training.check_maps --bundle BUNDLE [--number N] [--samples N]

Each method's maps of a few synthetic patches, whose stained membranes are known, are put to the
checks that the Models page explains. The Review page then warns beside the maps that failed.
Training does this for the bundle it writes, from 20 validation patches on. `python -m
benchmarks.explanations` measures the bundles in use on more patches.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from her2core.common.commands import command_parser
from her2core.common.refusal import RefusalError
from her2core.scores import HER2Score
from her2core.training.progress import progress_bar
from her2core.training.synthetic import make_patch
from her2core.xai.fidelity_report import FIDELITY_FILE, FidelityReport, ModelFidelity
from her2core.xai.methods import METHODS
from training.console import import_tensorflow, run_command

_SEED = 5150


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("training.check_maps", __doc__)
    parser.add_argument("--bundle", required=True, type=Path, help="folder of a finished bundle")
    parser.add_argument(
        "--number", type=int, default=5, help="synthetic patches (default %(default)s)"
    )
    parser.add_argument(
        "--samples", type=int, default=10, help="SHAP samples a map (default %(default)s)"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when the figures were written, whatever they say; 1 otherwise."""
    args = _parser().parse_args(arguments)
    return run_command(lambda: _run(args), lambda: "Stopped; the bundle is as it was.")


def _run(args: argparse.Namespace) -> int:
    if args.number < 2 or args.samples < 1:
        raise RefusalError("Give at least two patches and one sample.")
    (model,) = check(args.bundle, args.number, args.samples).models
    for one in model.methods:
        if one.method in METHODS:
            for failed in (check for check in one.checks if not check.passed):
                print(f"{one.title}, {failed.name.lower()}: {failed.failing}.")
    print(f"The maps of {model.model_id} are checked; the Models page shows how.")
    return 0


def check(bundle: Path, number: int, samples: int) -> FidelityReport:
    """Examine a bundle's maps and write the figures into its folder.

    Raises:
        BundleError: the bundle cannot be used.
        OSError: its folder cannot be written to.
    """
    import_tensorflow()
    from her2core.models.bundles.bundle import load_bundle
    from her2core.xai.examination import examine

    loaded = load_bundle(bundle)
    scores = [HER2Score(3 - at % 4) for at in range(number)]
    drawn = [make_patch(its, np.random.default_rng([_SEED, at])) for at, its in enumerate(scores)]
    with progress_bar("heat maps", "patches") as on_progress:
        _, figures = examine(loaded, drawn, samples, _SEED, on_progress=on_progress)
    report = FidelityReport(
        f"{number} synthetic patches, 50 to 300 µm, seed {_SEED}",
        datetime.date.today().isoformat(),
        (ModelFidelity(loaded.card.model_id, figures),),
    )
    report.write(bundle / FIDELITY_FILE)
    return report


if __name__ == "__main__":
    sys.exit(main())
