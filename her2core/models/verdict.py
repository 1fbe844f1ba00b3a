"""What a model says of one patch. Free of tensorflow, so that pages and the store may import it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from her2core.models.card import ModelCard
from her2core.scores import HER2Score


@dataclass(frozen=True)
class Verdict:
    """One model's reading of one 224 x 224 input.

    Attributes:
        architecture: registry name, "cnn" or "densenet121".
        model_id: architecture and the first 12 hex digits of the weights' sha256.
        probabilities: four class probabilities in clinical order 0, 1+, 2+, 3+; they sum to 1
            and are temperature-scaled where the bundle's card gives a temperature.
        demo: the model is a demonstration bundle.
        backend: what ran the network, e.g. "openvino 2026.4.1 float32"; empty where it was not
            recorded.
    """

    architecture: str
    model_id: str
    probabilities: tuple[float, float, float, float]
    demo: bool
    backend: str = ""

    @property
    def score(self) -> HER2Score:
        """The most probable class; on an exact tie the lower score."""
        return HER2Score(self.probabilities.index(max(self.probabilities)))

    @property
    def confidence(self) -> float:
        """Probability of the most probable class, in [0.25, 1]."""
        return max(self.probabilities)


def verdict_of(card: ModelCard, probabilities: Iterable[float], backend: str) -> Verdict:
    """The verdict for the four probabilities of one patch."""
    zero, one, two, three = (float(p) for p in probabilities)
    return Verdict(card.architecture, card.model_id, (zero, one, two, three), card.demo, backend)
