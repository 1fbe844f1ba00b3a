"""What a model says of one patch. Free of tensorflow, so that pages and the store may import it."""

from __future__ import annotations

from dataclasses import dataclass

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
        novelty: how unlike the known patches the input looks to the model, over the threshold
            above which it is named unfamiliar (her2core.models.novelty): above 1 the verdict is
            not to be trusted. None where the bundle cannot tell.
    """

    architecture: str
    model_id: str
    probabilities: tuple[float, float, float, float]
    demo: bool
    novelty: float | None = None

    @property
    def unfamiliar(self) -> bool:
        """Whether the input is unlike what the model knows."""
        return self.novelty is not None and self.novelty > 1

    @property
    def score(self) -> HER2Score:
        """The most probable class; on an exact tie the lower score."""
        return HER2Score(self.probabilities.index(max(self.probabilities)))

    @property
    def confidence(self) -> float:
        """Probability of the most probable class, in [0.25, 1]."""
        return max(self.probabilities)
