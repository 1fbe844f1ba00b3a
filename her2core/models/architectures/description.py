"""What a network is, as plain data: its layers in order, and what follows from them.

Free of any framework. `keras_model` and `backends.openvino_graph` make networks of a description;
the names and shapes of all weights are worked out here, so that a bundle is checked before anything
is built from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from types import MappingProxyType
from typing import assert_never

from her2core.common.refusal import RefusalError

Shape = tuple[int, ...]
SIDE = 224
# Layers that every network has, by these names: the last feature map, the hidden layer of the head,
# the class scores before softmax, and the softmax over them.
FEATURES, HIDDEN, LOGITS, PROBABILITIES = "features", "hidden", "logits", "probabilities"


class WeightsUnavailableError(RefusalError, RuntimeError):
    """The ImageNet weights could not be downloaded or read."""


@dataclass(frozen=True)
class _Named:
    """A layer with nothing but a name."""

    name: str


@dataclass(frozen=True)
class Scaling(_Named):
    """(x - mean) / deviation, per colour channel."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


@dataclass(frozen=True)
class Conv(_Named):
    """A convolution with square kernels; `pad` zeros are put on each side first."""

    filters: int
    size: int
    stride: int = 1
    pad: int = 0
    bias: bool = False
    relu: bool = False


@dataclass(frozen=True)
class BatchNorm(_Named):
    """Batch normalisation with the epsilon of keras.applications."""

    epsilon: float = 1.001e-5


class Relu(_Named):
    """max(x, 0)."""


class Identity(_Named):
    """Nothing but a name for what comes before."""


@dataclass(frozen=True)
class MaxPool(_Named):
    """The largest value of each window; `pad` zeros on each side, so behind a ReLU only."""

    size: int = 2
    stride: int = 2
    pad: int = 0


class AveragePool(_Named):
    """The mean of each 2 x 2 window."""


@dataclass(frozen=True)
class Concat(_Named):
    """The channels of the layer named `earlier`, then those of the layer before."""

    earlier: str


class Flatten(_Named):
    """(h, w, c) to (h * w * c,), channels fastest."""


class GlobalAverage(_Named):
    """(h, w, c) to (c,)."""


@dataclass(frozen=True)
class Dropout(_Named):
    """Dropout in training, by this share of the recipe's rate."""

    share: float = 1.0


@dataclass(frozen=True)
class Dense(_Named):
    """A fully connected layer with bias."""

    units: int
    relu: bool = False


@dataclass(frozen=True)
class Softmax(_Named):
    """Softmax over the four classes, without any temperature."""

    name: str = PROBABILITIES


Layer = (
    Scaling
    | Conv
    | BatchNorm
    | Relu
    | Identity
    | MaxPool
    | AveragePool
    | Concat
    | Flatten
    | GlobalAverage
    | Dropout
    | Dense
    | Softmax
)


@dataclass(frozen=True)
class Network:
    """One architecture, from float32 (n, 224, 224, 3) in [0, 1] to probabilities (n, 4).

    Attributes:
        name: registry name, as in cards and verdicts.
        title: how people write it.
        layers: in order; each reads the one before it.
        float32_until: name of the layer up to which a backend that rounds to bfloat16 must not.
        float32_from: name of the last layer that may be computed in bfloat16.
        gradient_batch: patches whose pixel gradient is computed at once; more are hardly faster.
        imagenet: keras.applications' name of the network whose ImageNet weights fit, or empty.
    """

    name: str
    title: str
    layers: tuple[Layer, ...]
    float32_until: str
    float32_from: str
    gradient_batch: int
    imagenet: str = ""

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Name of each layer -> shape of its output for one patch of 224 pixels."""
        shapes: dict[str, Shape] = {}
        shape: Shape = (SIDE, SIDE, 3)
        for layer in self.layers:
            shape = _output(layer, shape, shapes)
            shapes[layer.name] = shape
        return MappingProxyType(shapes)

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """(h, w, c) of the last feature map."""
        height, width, channels = self.shapes[FEATURES]
        return height, width, channels

    @cached_property
    def weights(self) -> Mapping[str, Shape]:
        """Path of each weight, as keras names it -> its shape."""
        before: Shape = (SIDE, SIDE, 3)
        weights: dict[str, Shape] = {}
        for layer in self.layers:
            weights.update(_weights(layer, before[-1]))
            before = self.shapes[layer.name]
        return MappingProxyType(weights)

    @cached_property
    def parameters(self) -> int:
        """Number of values in all weights, as keras counts them."""
        return sum(prod(shape) for shape in self.weights.values())

    @cached_property
    def normalised_convolutions(self) -> tuple[tuple[Conv, BatchNorm], ...]:
        """Each convolution with the batch normalisation that reads it and nothing else."""
        read_later = {layer.earlier for layer in self.layers if isinstance(layer, Concat)}
        return tuple(
            (one, other)
            for one, other in pairwise(self.layers)
            if isinstance(one, Conv) and isinstance(other, BatchNorm) and one.name not in read_later
        )


def _output(layer: Layer, shape: Shape, shapes: Mapping[str, Shape]) -> Shape:
    """Shape of a layer's output, of its input and of all layers before."""
    match layer:
        case Conv(filters=filters, size=size, stride=stride, pad=pad):
            return *_windows(shape, size, stride, pad), filters
        case MaxPool(size=size, stride=stride, pad=pad):
            return *_windows(shape, size, stride, pad), shape[-1]
        case AveragePool():
            return *_windows(shape, 2, 2, 0), shape[-1]
        case Concat(earlier=earlier):
            return *shape[:-1], shapes[earlier][-1] + shape[-1]
        case Flatten():
            return (prod(shape),)
        case GlobalAverage():
            return shape[-1:]
        case Dense(units=units):
            return (units,)
        case Scaling() | BatchNorm() | Relu() | Identity() | Dropout() | Softmax():
            return shape
    assert_never(layer)


def _windows(shape: Shape, size: int, stride: int, pad: int) -> Shape:
    return tuple((side + 2 * pad - size) // stride + 1 for side in shape[:2])


def _weights(layer: Layer, channels: int) -> Iterator[tuple[str, Shape]]:
    """The weights of a layer that reads so many channels."""
    match layer:
        case Conv(name=name, filters=filters, size=size, bias=bias):
            yield f"{name}/kernel", (size, size, channels, filters)
            if bias:
                yield f"{name}/bias", (filters,)
        case BatchNorm(name=name):
            for part in ("gamma", "beta", "moving_mean", "moving_variance"):
                yield f"{name}/{part}", (channels,)
        case Dense(name=name, units=units):
            yield f"{name}/kernel", (channels, units)
            yield f"{name}/bias", (units,)
