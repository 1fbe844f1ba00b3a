"""What the fidelity benchmark measured for each model and method, and which checks it passes.

Pages read it to warn beside a map that failed. Figures belong to one bundle: a map of a bundle
that was never checked is offered with just that said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from her2core.common import strict_json
from her2core.common.files import write_atomically
from her2core.common.interval_level import TAILS
from her2core.settings import Settings
from her2core.xai.methods import METHODS

# Least and most a figure may be. Half of full agreement calls a map stable; 0.3 is what two
# unrelated smooth maps of 7 x 7 cells reach by chance about one time in thirty.
STABLE = 0.5
UNRELATED = 0.3

# in the folder of a bundle whose maps training.check_maps examined
FIDELITY_FILE = "fidelity.json"
_MOST_BYTES = 10**7
BASELINES = {"gradient": "Plain gradient", "random": "Random order"}


@dataclass(frozen=True)
class Measured:
    """A mean over n patches with its percentile bootstrap interval."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Check:
    """One question put to a method.

    Attributes:
        name: e.g. "Faithful".
        passed: the answer.
        failing: what a failure means for the reader, the end of a sentence.
    """

    name: str
    passed: bool
    failing: str


@dataclass(frozen=True)
class MethodFidelity:
    """All figures of one method on one model.

    Attributes:
        method: a method, or "gradient" or "random", to compare with.
        figures: by name: "deletion", "insertion" (areas), "gain" (insertion less deletion),
            "gain_over_random" (paired), "randomised" (rank correlation with the map of a network
            with random weights), "shift", "jpeg" (rank correlations), "pointing" and "mass" (shares
            on stained membranes), "mass_over_area" (against the membranes' share of the patch).
        deletion, insertion: mean curves, by falling importance.
    """

    method: str
    figures: dict[str, Measured]
    deletion: tuple[float, ...]
    insertion: tuple[float, ...]

    @property
    def title(self) -> str:
        """The method's name for people."""
        method = METHODS.get(self.method)
        return method.title if method else BASELINES.get(self.method, self.method)

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the figures say; only checks whose figures were measured."""
        return tuple(
            Check(name, all(map(passes, known)), failing)
            for name, asked, passes, failing in _CHECKS
            if (known := [self.figures[one] for one in asked if one in self.figures])
        )


# name, figures it asks for, what each has to be, what it means where one is not
_CHECKS: tuple[tuple[str, tuple[str, ...], Callable[[Measured], bool], str], ...] = (
    (
        "Faithful",
        ("gain_over_random",),
        lambda gain: gain.low > 0,
        "removing what it marks does not change the verdict more than removing pixels at random",
    ),
    (
        "Depends on the weights",
        ("randomised",),
        lambda correlation: abs(correlation.value) <= UNRELATED,
        "it looks much the same for a network with random weights",
    ),
    (
        "Stable",
        ("shift", "jpeg"),
        lambda correlation: correlation.value >= STABLE,
        "it changes with a small shift or JPEG compression of the same tissue",
    ),
    (
        "On stained membranes",
        ("mass_over_area",),
        lambda mass: mass.low > 1,
        "it marks stained membranes no more than chance would",
    ),
)


@dataclass(frozen=True)
class Convergence:
    """How like a long run's SHAP map those of fewer samples are.

    Attributes:
        samples: numbers of samples.
        correlation: Spearman's correlation of each with the reference, mean over patches.
        reference: samples of the reference, drawn independently.
        n: patches.
    """

    samples: tuple[int, ...]
    correlation: tuple[float, ...]
    reference: int
    n: int


@dataclass(frozen=True)
class ModelFidelity:
    """One bundle's figures."""

    model_id: str
    methods: tuple[MethodFidelity, ...]
    convergence: Convergence | None = None

    def of(self, method: str) -> MethodFidelity | None:
        """The figures of one method, None where it was not measured."""
        return next((one for one in self.methods if one.method == method), None)

    def with_method(self, figures: MethodFidelity) -> ModelFidelity:
        """The same with one method's figures put in their place, in the order of METHODS."""
        others = [one for one in self.methods if one.method != figures.method]
        order = [*METHODS, *BASELINES]
        methods = sorted([*others, figures], key=lambda one: order.index(one.method))
        return replace(self, methods=tuple(methods))


@dataclass(frozen=True)
class FidelityReport:
    """The benchmark's file: which patches, and every bundle's figures."""

    patches: str
    date: str
    models: tuple[ModelFidelity, ...]

    def of(self, model_id: str) -> ModelFidelity | None:
        """The figures of one bundle, None where it was never checked."""
        return next((one for one in self.models if one.model_id == model_id), None)

    def warning(self, model_id: str, method: str) -> str | None:
        """What to say beside a map: a failed check, that none was made, or None."""
        model = self.of(model_id)
        figures = model.of(method) if model is not None else None
        if figures is None:
            return f"{METHODS[method].title}: not checked for this bundle."
        failed = [check.failing for check in figures.checks if not check.passed]
        if not failed:
            return None
        return f"{METHODS[method].title} failed a check on this bundle: {'; '.join(failed)}."

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        write_atomically(path, (text + "\n").encode())


NOTHING_CHECKED = FidelityReport("none", "", ())


def read_report(path: Path) -> FidelityReport:
    """Read the benchmark's file; one that is missing or damaged checks nothing."""
    try:
        return strict_json.read_file(FidelityReport, path, _MOST_BYTES, "report")
    except strict_json.ShapeError:
        return NOTHING_CHECKED


def checked_maps(settings: Settings) -> FidelityReport:
    """What is known of the maps of all bundles: the shipped file, and what bundles bring along."""
    shipped = read_report(settings.fidelity_file)
    own = [
        read_report(path)
        for root in settings.bundle_dirs
        for path in (root / FIDELITY_FILE, *sorted(root.glob(f"*/{FIDELITY_FILE}")))
        if path.is_file()
    ]
    models = (model for report in (*own, shipped) for model in report.models)
    first = next(iter(own), shipped) if shipped == NOTHING_CHECKED else shipped
    return replace(first, models=tuple(models))


def measured(values: Sequence[float | None], seed: int = 0) -> Measured | None:
    """The mean of what is defined, with its bootstrap interval; None where nothing is."""
    known = np.array([value for value in values if value is not None], np.float64)
    if not known.size:
        return None
    rng = np.random.default_rng(seed)
    means = known[rng.integers(0, known.size, (2000, known.size))].mean(axis=1)
    low, high = np.quantile(means, TAILS)
    return Measured(float(known.mean()), float(low), float(high), int(known.size))
