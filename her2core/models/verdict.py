"""What a model says of one patch. Free of tensorflow, so that pages and the store may import it."""

from collections.abc import Iterable
from dataclasses import dataclass

from her2core.models.bundles.card import ModelCard
from her2core.scores import HER2Score

# A hundredth beyond the limit, which calibration puts exactly on a held-out patch: processors round
# differently.
UNFAMILIAR = 1.01


@dataclass(frozen=True)
class Verdict:
    """One model's reading of one 224 x 224 input.

    Attributes:
        architecture: registry name, "cnn" or "densenet121".
        model_id: of the bundle, over all that decides what it says (ModelCard.model_id).
        probabilities: four class probabilities in clinical order 0, 1+, 2+, 3+; they sum to 1
            and are temperature-scaled where the bundle's card gives a temperature.
        demo: the model is a demonstration bundle.
        novelty: how unlike the known patches the input looks to the model, over the threshold
            above which it is named unfamiliar (her2core.models.ood.novelty): above `UNFAMILIAR` the
            verdict is not to be trusted. None where the bundle cannot tell.
        backend: what ran the network, e.g. "openvino 2026.4.1 float32"; empty where it was not
            recorded.
    """

    architecture: str
    model_id: str
    probabilities: tuple[float, float, float, float]
    demo: bool
    novelty: float | None = None
    backend: str = ""

    @property
    def unfamiliar(self) -> bool:
        """Whether the input is unlike what the model knows."""
        return self.novelty is not None and self.novelty > UNFAMILIAR

    @property
    def score(self) -> HER2Score:
        """The most probable class; on an exact tie the lower score."""
        return HER2Score.most_probable(self.probabilities)

    @property
    def confidence(self) -> float:
        """Probability of the most probable class, in [0.25, 1]."""
        return max(self.probabilities)


def verdict_of(
    card: ModelCard, probabilities: Iterable[float], backend: str, novelty: float | None = None
) -> Verdict:
    """The verdict for the four probabilities of one patch."""
    zero, one, two, three = (float(p) for p in probabilities)
    chances = (zero, one, two, three)
    return Verdict(card.architecture, card.model_id, chances, card.demo, novelty, backend)
