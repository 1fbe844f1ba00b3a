"""Do the maps tell the truth? `python -m benchmarks.explanations` writes explanations.json.

Synthetic patches, whose stained membranes are known, and the bundles in use. Per method: deletion
and insertion against random order, rank correlation with the map of a network with random weights
(Adebayo's sanity check), stability under a small shift and JPEG, the pointing game and the mass on
stained membranes. For SHAP: how like a 1,000-sample map those of fewer samples are. The Models page
shows the figures, and the Review page warns beside a map that fails.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import date
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from her2core.common.commands import command_parser
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.registry import chosen
from her2core.scores import HER2Score
from her2core.settings import load_settings
from her2core.training.synthetic import SyntheticPatch, make_patch
from her2core.xai import fidelity
from her2core.xai.examination import COMPARED, Subject, examine, mean_of
from her2core.xai.fidelity_report import (
    BASELINES,
    Convergence,
    FidelityReport,
    Measured,
    ModelFidelity,
    read_report,
)
from her2core.xai.methods import METHODS

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
RESULTS = Path(__file__).parent / "explanations.json"
_STEPS = (10, 25, 50, 100, 200)
_CHUNK = 50


def patches(number: int, seed: int) -> list[SyntheticPatch]:
    """Synthetic patches of all classes in turn, most stained first."""
    return [
        make_patch(HER2Score(3 - i % 4), np.random.default_rng([seed, i])) for i in range(number)
    ]


def convergence(
    subject: Subject, drawn: Sequence[SyntheticPatch], reference: int, seed: int
) -> Convergence | None:
    """Correlation with a reference of other samples, of the maps as they are shown (smoothed)."""
    if not drawn:
        return None
    steps = [step for step in _STEPS if step < reference]
    rows = [_approach(subject, patch, steps, reference, seed) for patch in drawn]
    return Convergence(tuple(steps), mean_of(rows), reference, len(drawn))


def _approach(
    subject: Subject, patch: SyntheticPatch, steps: Sequence[int], reference: int, seed: int
) -> Doubles:
    """For one patch: the correlation of a growing number of samples with the reference."""
    from her2core.xai.shap_values import smoothed

    pixels = patch.rgb.astype(np.float32)[None] / np.float32(255)
    target = HER2Score(int(subject.classifier.read(pixels).probabilities[0].argmax()))
    seeds = count(seed)

    def summed(samples: int) -> Doubles:
        values = subject.shap.attributions(pixels, target, samples, seed=next(seeds))
        total: Doubles = samples * values.sum(axis=-1)
        return total

    whole = np.zeros((224, 224))
    for start in range(0, reference, _CHUNK):
        whole += summed(min(_CHUNK, reference - start))
    total, row = np.zeros((224, 224)), []
    for before, step in pairwise((0, *steps)):
        total += summed(step - before)
        row.append(fidelity.rank_correlation(smoothed(total), smoothed(whole)))
    return np.array(row)


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine the bundles in use, print and write. A check that fails is a result: 0 then, too."""
    parser = command_parser("benchmarks.explanations", __doc__)
    parser.add_argument("--number", type=int, default=10, help="synthetic patches")
    parser.add_argument("--samples", type=int, default=50, help="SHAP samples a map")
    parser.add_argument("--converge", type=int, default=1, help="patches for SHAP's convergence")
    parser.add_argument("--reference", type=int, default=1000, help="samples of its reference")
    parser.add_argument("--arch", "--models", dest="models", default=",".join(ARCHITECTURES))
    parser.add_argument(
        "--method", choices=METHODS, help="this one only, put into the figures of the others"
    )
    parser.add_argument("--seed", type=int, default=5150)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if args.number < 1 or args.samples < 1:
        print("Give at least one patch and one sample.", file=sys.stderr)
        return 1
    folders = chosen(load_settings())
    wanted = args.models.split(",")
    if missing := [name for name in wanted if name not in folders]:
        print(f"No bundle in use of {', '.join(missing)}.", file=sys.stderr)
        return 1
    from her2core.models.bundles.bundle import load_bundle

    drawn = patches(args.number, args.seed)
    methods = COMPARED if args.method is None else (args.method, "random")
    known = read_report(args.out)
    models = []
    for name in wanted:
        bundle = load_bundle(folders[name])
        print(f"{ARCHITECTURES[name].title}, {bundle.card.model_id}", file=sys.stderr)
        subject, figures = examine(bundle, drawn, args.samples, args.seed, methods, print_progress)
        model_id, before = bundle.card.model_id, known.of(bundle.card.model_id)
        if args.method is None or before is None:
            shap = convergence(subject, drawn[: args.converge], args.reference, args.seed)
            models.append(ModelFidelity(model_id, figures, shap))
        else:
            models.append(before.with_method(figures[0]))
        print(table(models[-1]))
    stained = f"{args.number} synthetic patches, 50 to 300 µm, seed {args.seed}"
    FidelityReport(stained, date.today().isoformat(), tuple(models)).write(args.out)
    return 0


def print_progress(done: int, total: int) -> None:
    """Say how many patches are done."""
    print(f"  patch {done} of {total}", file=sys.stderr)


def table(model: ModelFidelity) -> str:
    """All figures of one bundle as text."""
    lines = [model.model_id]
    for one in model.methods:
        failed = [check.name for check in one.checks if not check.passed]
        figures = "  ".join(f"{name} {_said(value)}" for name, value in one.figures.items())
        verdict = f"fails {', '.join(failed)}" if failed else "passes"
        compared = "to compare with" if one.method in BASELINES else verdict
        lines.append(f"  {one.title:<15}{compared}\n      {figures}")
    if (shap := model.convergence) is not None:
        steps = zip(shap.samples, shap.correlation, strict=True)
        said = ", ".join(f"{samples}: {value:.3f}" for samples, value in steps)
        lines.append(f"  SHAP against {shap.reference} samples (n = {shap.n}): {said}")
    return "\n".join(lines)


def _said(one: Measured) -> str:
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
