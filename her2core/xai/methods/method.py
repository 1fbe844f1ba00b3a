"""What a heat-map method is to everything that offers, computes, draws or checks it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from her2core.models.head import Head

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ScoreGradient:
    """The gradient of a class score, or of a contrast of two, by the last feature map.

    Attributes:
        head: the layers between them.
        hidden: float32 (n, units), the hidden activations of n patches.
        direction: float32 (n, 4), weights of the logits.
    """

    head: Head
    hidden: Floats
    direction: Floats

    @cached_property
    def by_place(self) -> Floats:
        """float32 (n, h, w, c)."""
        return self.head.gradient(self.hidden, self.direction)

    @cached_property
    def mean(self) -> Floats:
        """Averaged over the places, float32 (n, c); cheaper than `by_place`."""
        return self.head.mean_gradient(self.hidden, self.direction)


@dataclass(frozen=True)
class MapMethod:
    """One way to explain a network.

    Attributes:
        name: as stored in reports, file names and page state.
        title: how people write it.
        about: what it shows, in a few words, where the reviewer chooses.
        reading: for a class-activation map, what goes after "Warmer areas"; {score} stands for the
            class explained.
        from_features: maps, float32 (n, h, w), of the last feature maps (n, h, w, c), each behind a
            ReLU, and the gradient of what is explained; None where a method needs the network.
        contrasts: whether the difference of two classes can be explained.
        signed: whether the map of one class says what speaks against it, too.
        pixelwise: heat is of single pixels, small and faint, not of regions.
        recorded: whether the log shows and exports such maps of recorded verdicts.
    """

    name: str
    title: str
    about: str
    reading: str = ""
    from_features: Callable[[Floats, ScoreGradient], Floats] | None = None
    contrasts: bool = True
    signed: bool = False
    pixelwise: bool = False
    recorded: bool = False
