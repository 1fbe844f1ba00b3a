"""How a logit changes with the last feature map, from the head's stored weights alone: only numpy.

Both networks end alike: the last feature map is flattened (CNN) or averaged over its places
(DenseNet121), goes through one dense layer with ReLU and one dense layer to the logits. The
derivative of such a head is written out here, so that class-activation maps of any kind need
neither a second pass through the network nor a framework that differentiates:

    d (v · logits) / d hidden, before its ReLU = (logits kernel v) * 1[hidden > 0]
    d (v · logits) / d features                = hidden kernel (that), at each place its own rows

A direction v picks one logit (one-hot) or a contrast of two ("why 2+ and not 3+": +1 and -1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Head:
    """The layers behind the last feature map.

    Attributes:
        feature_shape: (h, w, c) of the last feature map.
        hidden_kernel: float32 (h * w * c, units) where the map is flattened, (c, units) where it
            is averaged over its places.
        logits_kernel: float32 (units, 4).
    """

    feature_shape: tuple[int, int, int]
    hidden_kernel: Floats = field(repr=False)
    logits_kernel: Floats = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse weights that are no such head.

        Raises:
            ValueError: the shapes do not fit each other.
        """
        height, width, channels = self.feature_shape
        if (
            self.hidden_kernel.ndim != 2
            or len(self.hidden_kernel) not in (height * width * channels, channels)
            or self.logits_kernel.shape != (self.hidden_kernel.shape[1], 4)
        ):
            raise ValueError(
                "The head must flatten or average the last feature map, then have a hidden layer "
                "and the logits; these weights do not."
            )

    @classmethod
    def from_tensors(
        cls,
        tensors: Mapping[str, npt.NDArray[np.generic]],
        feature_shape: tuple[int, int, int],
    ) -> Head:
        """The head of a bundle's weights, under the names they have in weights.safetensors.

        Raises:
            KeyError, ValueError: they hold no such head.
        """
        names = ("hidden/kernel", "logits/kernel")
        return cls(feature_shape, *(np.asarray(tensors[name], np.float32) for name in names))

    @property
    def flattened(self) -> bool:
        """The map is flattened: each place has weights of its own. Otherwise it is averaged."""
        return len(self.hidden_kernel) == int(np.prod(self.feature_shape))

    def gradient(self, hidden: Floats, direction: Floats) -> Floats:
        """The gradient of direction · logits by every value of the feature map.

        Args:
            hidden: (n, units) after the ReLU, as a reader returns it.
            direction: (n, 4) or (4,), weights of the logits.

        Returns:
            float32 (n, h, w, c). Where the map is averaged all places share one gradient, and the
            array is a read-only view.
        """
        height, width, channels = self.feature_shape
        through = self._before_relu(hidden, direction)
        if self.flattened:
            rows: Floats = through @ self.hidden_kernel.T
            return rows.reshape(-1, height, width, channels)
        shared = (through @ self._averaged.T)[:, None, None, :]
        return np.broadcast_to(shared, (len(shared), height, width, channels))

    def mean_gradient(self, hidden: Floats, direction: Floats) -> Floats:
        """`gradient` averaged over the places of the map, (n, c), as Grad-CAM weighs channels.

        It costs a product of (n, units) and (units, c) only, whatever the head.
        """
        weights: Floats = self._before_relu(hidden, direction) @ self._averaged.T
        return weights

    def _before_relu(self, hidden: Floats, direction: Floats) -> Floats:
        through: Floats = np.atleast_2d(direction).astype(np.float32) @ self.logits_kernel.T
        return through * (hidden > 0)

    @cached_property
    def _averaged(self) -> Floats:
        """d hidden (before ReLU) / d features, averaged over the places: (c, units)."""
        height, width, channels = self.feature_shape
        if self.flattened:
            by_place = self.hidden_kernel.reshape(height * width, channels, -1)
            averaged: Floats = by_place.mean(axis=0, dtype=np.float32)
            return averaged
        return self.hidden_kernel / np.float32(height * width)
