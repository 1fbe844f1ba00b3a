"""Both architectures written as OpenVINO graphs, straight from the tensors of a bundle.

The architectures never change, so no converter is needed, and neither is TensorFlow: the layers of
`cnn.py` and `densenet121.py` are laid out here once more, under the names their weights have in
weights.safetensors. Tests hold both descriptions to the same answers, and a graph is used only
after it has given TensorFlow's answers on the bundle's own patches (`agreement.py`).

Kernels stay float16, as they are stored, and are widened when the graph is compiled: no bit of them
changes, and half the memory is read.

A processor that is faster in bfloat16 rounds every value to eight bits. That costs most in the
first layers and in the head, which are quick anyway: so the network also comes in three parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as op

from her2core.models.architectures.imagenet import IMAGENET_MEAN, IMAGENET_STD
from her2core.models.architectures.shapes import DENSENET_BLOCKS, EPSILON

Tensors = Mapping[str, npt.NDArray[np.generic]]
# In float32 also where the rest is not: so many blocks of the CNN, and DenseNet121's first dense
# block. So no probability of 421 patches moved by 1e-3, real crops among them; with one block less,
# or two thirds of the dense block in bfloat16, those of one patch in 200 did.
_FIRST_BLOCKS = 3


class _Trunk(NamedTuple):
    """The last feature map, (n, h, w, c), and the rows (n, values) the hidden layer reads."""

    features: Any
    rows: Any


class Parts(NamedTuple):
    """A network in three graphs, each reading what the one before gives, for one patch.

    Attributes:
        first: from the patch. Rounding here is multiplied by everything that follows.
        middle: nearly all of the work and little of the harm that rounding does.
        last: from the last convolution to what `build_graph` gives.
    """

    first: ov.Model
    middle: ov.Model
    last: ov.Model


def build_graph(architecture: str, tensors: Tensors, temperature: float) -> ov.Model:
    """The network of a bundle, for one patch.

    Args:
        architecture: registry name.
        tensors: its weights, as weights.safetensors holds them.
        temperature: divides the logits before softmax.

    Returns:
        A model from float32 (1, 224, 224, 3) to probabilities (1, 4), last feature map
        (1, h, w, c) and hidden activations (1, units), all float32 and in this order.

    Raises:
        KeyError: a tensor is missing, or the architecture has no graph here.
    """
    layers = _LAYERS[architecture]
    patch = _patch()
    trunk = layers.last(layers.middle(layers.first(patch, tensors), tensors), tensors)
    return ov.Model(_read(trunk, tensors, temperature), [patch], architecture)


def build_parts(architecture: str, tensors: Tensors, temperature: float) -> Parts:
    """The same network cut in three, so that each part can be computed in a precision of its own.

    Args and errors are those of `build_graph`.
    """
    layers = _LAYERS[architecture]
    patch = _patch()
    first = ov.Model([op.result(layers.first(patch, tensors))], [patch], f"{architecture} first")
    seen = op.parameter(first.output(0).shape, np.float32)
    found = op.result(layers.middle(seen, tensors))
    middle = ov.Model([found], [seen], f"{architecture} middle")
    kept = op.parameter(middle.output(0).shape, np.float32)
    outputs = _read(layers.last(kept, tensors), tensors, temperature)
    return Parts(first, middle, ov.Model(outputs, [kept], f"{architecture} last"))


def _patch() -> Any:
    return op.parameter([1, 224, 224, 3], np.float32, name="patch")


def _read(trunk: _Trunk, tensors: Tensors, temperature: float) -> list[Any]:
    """The head, and the outputs of the whole."""
    hidden = op.relu(_dense(trunk.rows, tensors, "hidden"))
    logits = _dense(hidden, tensors, "logits")
    scaled = op.divide(logits, op.constant(np.float32(temperature)))
    return [op.result(found) for found in (op.softmax(scaled, axis=1), trunk.features, hidden)]


def _cnn_first(patch: Any, tensors: Tensors) -> Any:
    return _cnn_blocks(_to_nchw(patch), tensors, range(1, _FIRST_BLOCKS + 1))


def _cnn_middle(x: Any, tensors: Tensors) -> Any:
    return _cnn_blocks(x, tensors, range(_FIRST_BLOCKS + 1, 5))


def _cnn_last(x: Any, _: Tensors) -> _Trunk:
    features = _to_nhwc(x)
    return _Trunk(features, op.reshape(features, op.constant(np.array([0, -1], np.int64)), True))


def _cnn_blocks(x: Any, tensors: Tensors, blocks: Iterable[int]) -> Any:
    for block in blocks:
        bias = np.asarray(tensors[f"conv{block}/bias"], np.float32).reshape(1, -1, 1, 1)
        x = op.relu(op.add(_convolution(x, tensors, f"conv{block}"), op.constant(bias)))
        x = op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
    return x


def _densenet_first(patch: Any, tensors: Tensors) -> Any:
    """The stem and the first dense block, where rounding harms most."""
    mean, deviation = (np.array(x, np.float32) for x in (IMAGENET_MEAN, IMAGENET_STD))
    x = op.divide(op.subtract(patch, op.constant(mean)), op.constant(deviation))
    x = _convolution(_to_nchw(x), tensors, "conv1_conv", stride=2, pad=3)
    x = op.relu(_normalised(x, tensors, "conv1_bn"))
    # The padding is with zeros, which after a ReLU is the same as leaving the border out.
    x = op.max_pool(x, [2, 2], [1, 1], [1, 1], [0, 0], [3, 3]).output(0)
    return _dense_block(x, tensors, 2, DENSENET_BLOCKS[0])


def _densenet_middle(x: Any, tensors: Tensors) -> Any:
    for stage, layers in enumerate(DENSENET_BLOCKS[1:], start=3):
        x = _dense_block(_halved(x, tensors, stage - 1), tensors, stage, layers)
    return x


def _densenet_last(x: Any, tensors: Tensors) -> _Trunk:
    x = op.relu(_normalised(x, tensors, "bn"))
    return _Trunk(_to_nhwc(x), op.reduce_mean(x, op.constant(np.array([2, 3], np.int64)), False))


def _halved(x: Any, tensors: Tensors, stage: int) -> Any:
    """What lies between two dense blocks.

    Averaged before its convolution and not after, which comes to the same on a quarter of the
    places.
    """
    x = op.relu(_normalised(x, tensors, f"pool{stage}_bn"))
    x = op.avg_pool(x, [2, 2], [0, 0], [0, 0], [2, 2], True)
    return _convolution(x, tensors, f"pool{stage}_conv")


def _dense_block(x: Any, tensors: Tensors, stage: int, layers: int) -> Any:
    for block in range(1, layers + 1):
        name = f"conv{stage}_block{block}"
        y = op.relu(_normalised(x, tensors, f"{name}_0_bn"))
        y = _convolution(y, tensors, f"{name}_1_conv")
        y = op.relu(_normalised(y, tensors, f"{name}_1_bn"))
        x = op.concat([x, _convolution(y, tensors, f"{name}_2_conv", pad=1)], axis=1)
    return x


class _Layers(NamedTuple):
    """The layers of an architecture, in the three parts of `Parts`."""

    first: Callable[[Any, Tensors], Any]
    middle: Callable[[Any, Tensors], Any]
    last: Callable[[Any, Tensors], _Trunk]


_LAYERS: Mapping[str, _Layers] = MappingProxyType(
    {
        "cnn": _Layers(_cnn_first, _cnn_middle, _cnn_last),
        "densenet121": _Layers(_densenet_first, _densenet_middle, _densenet_last),
    }
)


def _weight(values: npt.NDArray[np.generic]) -> Any:
    """A constant that stays as small as it is stored, read as float32."""
    constant = op.constant(np.ascontiguousarray(values))
    return constant if values.dtype == np.float32 else op.convert(constant, "f32")


def _convolution(x: Any, tensors: Tensors, name: str, stride: int = 1, pad: int = 0) -> Any:
    kernel = tensors[f"{name}/kernel"].transpose(3, 2, 0, 1)  # keras keeps (h, w, in, out)
    return op.convolution(x, _weight(kernel), [stride] * 2, [pad] * 2, [pad] * 2, [1, 1])


def _normalised(x: Any, tensors: Tensors, name: str) -> Any:
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    gamma, beta, mean, variance = (
        op.constant(np.asarray(tensors[f"{name}/{part}"], np.float32)) for part in parts
    )
    return op.batch_norm_inference(x, gamma, beta, mean, variance, EPSILON)


def _dense(x: Any, tensors: Tensors, name: str) -> Any:
    product = op.matmul(x, _weight(tensors[f"{name}/kernel"]), False, False)
    return op.add(product, op.constant(np.asarray(tensors[f"{name}/bias"], np.float32)))


def _to_nchw(x: Any) -> Any:
    return op.transpose(x, op.constant(np.array([0, 3, 1, 2], np.int64)))


def _to_nhwc(x: Any) -> Any:
    return op.transpose(x, op.constant(np.array([0, 2, 3, 1], np.int64)))
