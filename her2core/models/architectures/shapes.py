"""Name and shape of every weight of both architectures. Free of any framework.

A bundle is checked against this before anything is built from it; tests hold it to the networks
that keras builds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import MappingProxyType

Shape = tuple[int, ...]
FEATURE_SHAPES = MappingProxyType({"cnn": (12, 12, 256), "densenet121": (7, 7, 1024)})
DENSENET_BLOCKS = (6, 12, 24, 16)
EPSILON = 1.001e-5  # of keras.applications.DenseNet121's batch normalisation
_GROWTH, _BOTTLENECK, _STEM = 32, 128, 64


@cache
def weight_shapes(architecture: str) -> MappingProxyType[str, Shape]:
    """Path of each weight -> its shape.

    Raises:
        KeyError: the architecture is not known.
    """
    layers = {"cnn": _cnn, "densenet121": _densenet121}[architecture]
    return MappingProxyType(dict(layers()))


def parameters(architecture: str) -> int:
    """Number of values in all weights, as keras counts them."""
    total = 0
    for shape in weight_shapes(architecture).values():
        size = 1
        for side in shape:
            size *= side
        total += size
    return total


def normalised_convolutions(architecture: str) -> tuple[tuple[str, str], ...]:
    """Names of each convolution that batch normalisation reads at once, and of that normalisation.

    (DenseNet121's other normalisations read sums of several layers.)

    Raises:
        KeyError: the architecture is not known.
    """
    return tuple(
        (path.removesuffix("/kernel"), path.replace("_conv/kernel", "_bn"))
        for path in weight_shapes(architecture)
        if path == "conv1_conv/kernel" or path.endswith("_1_conv/kernel")
    )


def _cnn() -> Iterator[tuple[str, Shape]]:
    channels = 3
    for block, filters in enumerate((32, 64, 128, 256), start=1):
        yield f"conv{block}/kernel", (3, 3, channels, filters)
        yield f"conv{block}/bias", (filters,)
        channels = filters
    yield from _head(12 * 12 * 256, 512)


def _densenet121() -> Iterator[tuple[str, Shape]]:
    yield "conv1_conv/kernel", (7, 7, 3, _STEM)
    yield from _normalisation("conv1_bn", _STEM)
    channels = _STEM
    for stage, blocks in enumerate(DENSENET_BLOCKS, start=2):
        for block in range(1, blocks + 1):
            name = f"conv{stage}_block{block}"
            yield from _normalisation(f"{name}_0_bn", channels)
            yield f"{name}_1_conv/kernel", (1, 1, channels, _BOTTLENECK)
            yield from _normalisation(f"{name}_1_bn", _BOTTLENECK)
            yield f"{name}_2_conv/kernel", (3, 3, _BOTTLENECK, _GROWTH)
            channels += _GROWTH
        if stage <= len(DENSENET_BLOCKS):
            yield from _normalisation(f"pool{stage}_bn", channels)
            yield f"pool{stage}_conv/kernel", (1, 1, channels, channels // 2)
            channels //= 2
    yield from _normalisation("bn", channels)
    yield from _head(channels, 256)


def _normalisation(name: str, channels: int) -> Iterator[tuple[str, Shape]]:
    for part in ("gamma", "beta", "moving_mean", "moving_variance"):
        yield f"{name}/{part}", (channels,)


def _head(values: int, units: int) -> Iterator[tuple[str, Shape]]:
    yield "hidden/kernel", (values, units)
    yield "hidden/bias", (units,)
    yield "logits/kernel", (units, 4)
    yield "logits/bias", (4,)
