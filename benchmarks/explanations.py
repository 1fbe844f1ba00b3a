"""Do the maps tell the truth? `python -m benchmarks.explanations` writes explanations.json.

Synthetic patches, whose stained membranes are known, and the bundles in use. Per method: deletion
and insertion against random order, rank correlation with the map of a network with random weights
(Adebayo's sanity check), stability under a small shift and JPEG, the pointing game and the mass on
stained membranes. For SHAP: how like a 1,000-sample map those of fewer samples are. The Models page
shows the figures, and the Review page warns beside a map that fails.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt

from her2core.models.architectures.keras_model import build
from her2core.models.bundles.registry import ARCHITECTURES, chosen
from her2core.scores import HER2Score
from her2core.settings import load_settings
from her2core.training.synthetic import SyntheticPatch, make_patch
from her2core.xai import fidelity
from her2core.xai.class_activation import ClassActivation
from her2core.xai.fidelity_report import (
    BASELINES,
    Convergence,
    FidelityReport,
    Measured,
    MethodFidelity,
    ModelFidelity,
    measured,
    read_report,
)
from her2core.xai.methods import CLASS_ACTIVATION, METHODS

if TYPE_CHECKING:
    from her2core.models.bundles.bundle import Bundle
    from her2core.models.classifier import Classifier
    from her2core.xai.shap_values import ShapExplainer

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
RESULTS = Path(__file__).parent / "explanations.json"
COMPARED = (*METHODS, *BASELINES)
_STEPS = (10, 25, 50, 100, 200)
_CHUNK = 50


@dataclass(frozen=True)
class Subject:
    """One network with everything that explains it."""

    classifier: Classifier
    activation: ClassActivation
    shap: ShapExplainer
    gradient: Callable[[Floats, HER2Score], Floats]
    samples: int
    methods: Sequence[str]

    @classmethod
    def of(cls, bundle: Bundle, samples: int, methods: Sequence[str]) -> Subject:
        """Compile; takes seconds to half a minute."""
        import tensorflow as tf

        from her2core.models.classifier import Classifier
        from her2core.xai.pixel_gradient import pixel_gradient
        from her2core.xai.shap_values import ShapExplainer

        classifier = Classifier(bundle)
        by_pixels = pixel_gradient(classifier)

        def plain(pixels: Floats, target: HER2Score) -> Floats:
            gradient = by_pixels(tf.constant(pixels[None]), tf.one_hot(int(target), 4))
            return np.asarray(np.abs(gradient).sum(axis=-1)[0], np.float32)

        return cls(
            classifier,
            ClassActivation(classifier.model_id, classifier.head),
            ShapExplainer(classifier, by_pixels),
            plain,
            samples,
            methods,
        )

    def maps(self, pixels: Floats, target: HER2Score) -> dict[str, Floats]:
        """The heat (224, 224) of each method; "gradient" is that of Simonyan et al., 2014."""
        inner = self.classifier.read(pixels[None])

        def heat(method: str) -> Floats:
            if method in CLASS_ACTIVATION:
                return self.activation(inner.features, target, inner.hidden, method).heat
            if method == "shap":
                return self.shap(pixels, target, self.samples).heat
            return self.gradient(pixels, target)

        return {method: heat(method) for method in self.methods if method != "random"}

    def probability(self, target: HER2Score) -> Callable[[Floats], Doubles]:
        """The network's probability of a class, as a function of pixels (n, 224, 224, 3)."""
        return lambda pixels: self.classifier.infer(pixels)[0][:, int(target)].astype(np.float64)


def patches(number: int, seed: int) -> list[SyntheticPatch]:
    """Synthetic patches of all classes in turn, most stained first."""
    return [
        make_patch(HER2Score(3 - i % 4), np.random.default_rng([seed, i])) for i in range(number)
    ]


def examine(
    bundle: Bundle,
    drawn: Sequence[SyntheticPatch],
    samples: int,
    seed: int,
    methods: Sequence[str] = COMPARED,
) -> tuple[Subject, tuple[MethodFidelity, ...]]:
    """All figures of one bundle by methods, "random" among them; the verdict is explained."""
    subject = Subject.of(bundle, samples, methods)
    rng = np.random.default_rng(seed)
    values: dict[str, dict[str, list[float | None]]] = {name: {} for name in methods}
    curves: dict[str, list[fidelity.Curves]] = {name: [] for name in methods}
    first: list[tuple[Floats, HER2Score, dict[str, Floats]]] = []

    def note(method: str, figure: str, value: float | None) -> None:
        values[method].setdefault(figure, []).append(value)

    for number, patch in enumerate(drawn, start=1):
        print(f"  patch {number} of {len(drawn)}", file=sys.stderr)
        pixels = patch.rgb.astype(np.float32) / np.float32(255)
        target = HER2Score(int(subject.classifier.infer(pixels[None])[0][0].argmax()))
        heats = subject.maps(pixels, target)
        first.append((pixels, target, dict(heats)))
        moved = subject.maps(fidelity.shifted(pixels), target)
        squeezed = subject.maps(fidelity.recompressed(pixels), target)
        for name, heat in heats.items():
            note(name, "shift", fidelity.shift_correlation(heat, moved[name]))
            note(name, "jpeg", fidelity.rank_correlation(heat, squeezed[name]))
        heats["random"] = rng.random((224, 224)).astype(np.float32)
        for name, heat in heats.items():
            order = fidelity.importance_order(heat, rng)
            curve = fidelity.curves(subject.probability(target), pixels, order)
            curves[name].append(curve)
            note(name, "deletion", curve.deletion_area)
            note(name, "insertion", curve.insertion_area)
            note(name, "gain", curve.gain)
            if target > HER2Score.ZERO and patch.membrane.any():
                mass = fidelity.mass_inside(heat, patch.membrane)
                note(name, "pointing", fidelity.pointing(heat, patch.membrane))
                note(name, "mass", mass)
                note(name, "mass_over_area", mass and mass / float(patch.membrane.mean()))
    for name in values.keys() - {"random"}:
        pairs = zip(curves[name], curves["random"], strict=True)
        values[name]["gain_over_random"] = [one.gain - random.gain for one, random in pairs]
    for name, correlations in against_random_weights(bundle, first, samples, seed).items():
        values[name]["randomised"] = correlations
    return subject, tuple(
        MethodFidelity(
            name,
            {figure: mean for figure, each in values[name].items() if (mean := measured(each))},
            _mean(curve.deletion for curve in curves[name]),
            _mean(curve.insertion for curve in curves[name]),
        )
        for name in methods
    )


def against_random_weights(
    bundle: Bundle,
    first: Sequence[tuple[Floats, HER2Score, dict[str, Floats]]],
    samples: int,
    seed: int,
) -> dict[str, list[float | None]]:
    """Rank correlation of each map with that of the same architecture, freshly initialised."""
    keras.utils.set_random_seed(seed)
    fresh = build(ARCHITECTURES[bundle.card.architecture])
    names = list(first[0][2])
    subject = Subject.of(replace(bundle, model=fresh), samples, names)
    correlations: dict[str, list[float | None]] = {name: [] for name in names}
    for pixels, target, heats in first:
        for name, heat in subject.maps(pixels, target).items():
            correlations[name].append(fidelity.rank_correlation(heats[name], heat))
    return correlations


def convergence(
    subject: Subject, drawn: Sequence[SyntheticPatch], reference: int, seed: int
) -> Convergence | None:
    """Correlation with a reference of other samples, of the maps as they are shown (smoothed)."""
    if not drawn:
        return None
    steps = [step for step in _STEPS if step < reference]
    rows = [_approach(subject, patch, steps, reference, seed) for patch in drawn]
    return Convergence(tuple(steps), _mean(rows), reference, len(drawn))


def _approach(
    subject: Subject, patch: SyntheticPatch, steps: Sequence[int], reference: int, seed: int
) -> Doubles:
    """For one patch: the correlation of a growing number of samples with the reference."""
    from her2core.xai.shap_values import smoothed

    pixels = patch.rgb.astype(np.float32)[None] / np.float32(255)
    target = HER2Score(int(subject.classifier.infer(pixels)[0][0].argmax()))
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
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explanations", description=__doc__)
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
        subject, figures = examine(bundle, drawn, args.samples, args.seed, methods)
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


def _mean(rows: Iterable[Doubles]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.mean(np.stack(list(rows)), axis=0))


if __name__ == "__main__":
    sys.exit(main())
