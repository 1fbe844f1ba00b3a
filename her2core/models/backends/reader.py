"""What every backend offers: pixels in, everything a verdict and a class-activation map need out.

A backend is only another way to run the same network. Free of any framework.
"""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from her2core.common.refusal import RefusalError

Floats = npt.NDArray[np.float32]
TOLERANCE = 1e-3


class Activations(NamedTuple):
    """What one pass through the network gives for n patches, all float32.

    Attributes:
        probabilities: (n, 4), temperature-scaled.
        features: (n, h, w, c), the last feature map.
        hidden: (n, units), the hidden layer of the head, after its ReLU.
    """

    probabilities: Floats
    features: Floats
    hidden: Floats


class Reader(Protocol):
    """A network ready to read patches. Safe to use from several threads."""

    @property
    def backend(self) -> str:
        """What runs the network, with its version, e.g. "openvino 2026.4.1 float32"."""

    def read(self, pixels: Floats) -> Activations:
        """Read patches, float32 (n, 224, 224, 3) in [0, 1].

        A patch's values do not depend on which others are read with it, to 1e-5.

        Raises:
            ValueError: the pixels have another shape or leave [0, 1].
        """


class BackendError(RefusalError, RuntimeError):
    """A backend cannot run this network here; str(error) is one sentence saying why."""


def check_pixels(pixels: Floats) -> None:
    """Refuse what the networks were not made for.

    Raises:
        ValueError: not float32 (n, 224, 224, 3) in [0, 1] with n >= 1.
    """
    if pixels.dtype != np.float32 or pixels.ndim != 4 or pixels.shape[1:] != (224, 224, 3):
        raise ValueError(
            f"Models read float32 (n, 224, 224, 3), not {pixels.dtype} {pixels.shape}."
        )
    if not len(pixels) or not (pixels.min() >= 0.0 and pixels.max() <= 1.0):
        raise ValueError("Models read at least one patch, with every value in [0, 1].")
