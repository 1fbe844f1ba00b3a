"""Every method's maps of a bundle put to the measures of `fidelity`, on patches of known truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from her2core.models.architectures import ARCHITECTURES
from her2core.scores import HER2Score
from her2core.xai import fidelity
from her2core.xai.class_activation import ClassActivation
from her2core.xai.fidelity_report import BASELINES, MethodFidelity, measured
from her2core.xai.methods import CLASS_ACTIVATION, METHODS

if TYPE_CHECKING:
    from her2core.models.backends.tensorflow_backend import Classifier
    from her2core.models.bundles.bundle import Bundle
    from her2core.xai.shap_values import ShapExplainer

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
COMPARED = (*METHODS, *BASELINES)


class Drawn(Protocol):
    """A patch whose stained membranes are known."""

    @property
    def rgb(self) -> npt.NDArray[np.uint8]:
        """Pixels, uint8 (224, 224, 3)."""

    @property
    def membrane(self) -> npt.NDArray[np.bool_]:
        """Where stained membranes are, bool (224, 224)."""


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

        from her2core.models.backends.tensorflow_backend import Classifier
        from her2core.xai.shap_values import ShapExplainer, pixel_gradient

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
                return self.activation(inner.features, inner.hidden, target, method).heat
            if method == "shap":
                return self.shap(pixels, target, self.samples).heat
            return self.gradient(pixels, target)

        return {method: heat(method) for method in self.methods if method != "random"}

    def probability(self, target: HER2Score) -> Callable[[Floats], Doubles]:
        """The network's probability of a class, as a function of pixels (n, 224, 224, 3)."""
        return lambda pixels: (
            self.classifier.read(pixels).probabilities[:, target].astype(np.float64)
        )


def examine(
    bundle: Bundle,
    drawn: Sequence[Drawn],
    samples: int,
    seed: int,
    methods: Sequence[str] = COMPARED,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Subject, tuple[MethodFidelity, ...]]:
    """All figures of one bundle by methods, "random" among them; the verdict is explained.

    Args:
        bundle: whose maps are examined.
        drawn: patches whose stained membranes are known.
        samples: SHAP's, a map.
        seed: of the random order, and of the network with random weights.
        methods: of METHODS and BASELINES.
        on_progress: (done, total) after each patch.
    """
    subject = Subject.of(bundle, samples, methods)
    rng = np.random.default_rng(seed)
    values: dict[str, dict[str, list[float | None]]] = {name: {} for name in methods}
    curves: dict[str, list[fidelity.Curves]] = {name: [] for name in methods}
    first: list[tuple[Floats, HER2Score, dict[str, Floats]]] = []

    def note(method: str, figure: str, value: float | None) -> None:
        values[method].setdefault(figure, []).append(value)

    for number, patch in enumerate(drawn, start=1):
        pixels = patch.rgb.astype(np.float32) / np.float32(255)
        target = HER2Score(int(subject.classifier.read(pixels[None]).probabilities[0].argmax()))
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
        on_progress(number, len(drawn))
    for name in values.keys() - {"random"}:
        pairs = zip(curves[name], curves["random"], strict=True)
        values[name]["gain_over_random"] = [one.gain - random.gain for one, random in pairs]
    for name, correlations in against_random_weights(bundle, first, samples, seed).items():
        values[name]["randomised"] = correlations
    return subject, tuple(
        MethodFidelity(
            name,
            {figure: mean for figure, each in values[name].items() if (mean := measured(each))},
            mean_of(curve.deletion for curve in curves[name]),
            mean_of(curve.insertion for curve in curves[name]),
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
    import keras

    from her2core.models.architectures.keras_model import build

    keras.utils.set_random_seed(seed)
    fresh = build(ARCHITECTURES[bundle.card.architecture])
    names = list(first[0][2])
    subject = Subject.of(replace(bundle, model=fresh), samples, names)
    correlations: dict[str, list[float | None]] = {name: [] for name in names}
    for pixels, target, heats in first:
        for name, heat in subject.maps(pixels, target).items():
            correlations[name].append(fidelity.rank_correlation(heats[name], heat))
    return correlations


def mean_of(rows: Iterable[Doubles]) -> tuple[float, ...]:
    """The mean of rows of the same length."""
    return tuple(float(value) for value in np.mean(np.stack(list(rows)), axis=0))
