"""Both architectures written as OpenVINO graphs, straight from the tensors of a bundle.

The architectures never change, so no converter is needed, and neither is TensorFlow: the layers of
`cnn.py` and `densenet121.py` are laid out here once more, under the names their weights have in
weights.safetensors. Tests hold both descriptions to the same answers, and a graph is used only
after it has given TensorFlow's answers on the bundle's own patches (`agreement.py`).

Kernels stay float16, as they are stored, and are widened when the graph is compiled: no bit of them
changes, and half the memory is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as op

from her2core.models.imagenet import IMAGENET_MEAN, IMAGENET_STD
from her2core.models.shapes import DENSENET_BLOCKS

Tensors = Mapping[str, npt.NDArray[np.generic]]
EPSILON = 1.001e-5  # of keras.applications.DenseNet121's batch normalisation


class _Trunk(NamedTuple):
    """The last feature map, (n, h, w, c), and the rows (n, values) the hidden layer reads."""

    features: Any
    rows: Any


def build_graph(architecture: str, tensors: Tensors, temperature: float) -> ov.Model:
    """The network of a bundle.

    Args:
        architecture: registry name.
        tensors: its weights, as weights.safetensors holds them.
        temperature: divides the logits before softmax.

    Returns:
        A model from float32 (n, 224, 224, 3) to probabilities (n, 4), last feature map
        (n, h, w, c) and hidden activations (n, units), all float32 and in this order.

    Raises:
        KeyError: a tensor is missing, or the architecture has no graph here.
    """
    patch = op.parameter([-1, 224, 224, 3], np.float32, name="patch")
    trunk = _TRUNKS[architecture](patch, tensors)
    hidden = op.relu(_dense(trunk.rows, tensors, "hidden"))
    logits = _dense(hidden, tensors, "logits")
    scaled = op.divide(logits, op.constant(np.float32(temperature)))
    outputs = [op.softmax(scaled, axis=1), trunk.features, hidden]
    return ov.Model([op.result(output) for output in outputs], [patch], architecture)


def _cnn(patch: Any, tensors: Tensors) -> _Trunk:
    x = _to_nchw(patch)
    for block in (1, 2, 3, 4):
        bias = np.asarray(tensors[f"conv{block}/bias"], np.float32).reshape(1, -1, 1, 1)
        x = op.relu(op.add(_convolution(x, tensors, f"conv{block}"), op.constant(bias)))
        x = _pool(op.max_pool, x, 2)
    features = _to_nhwc(x)
    return _Trunk(features, op.reshape(features, op.constant(np.array([0, -1], np.int64)), True))


def _densenet121(patch: Any, tensors: Tensors) -> _Trunk:
    mean, deviation = (np.array(x, np.float32) for x in (IMAGENET_MEAN, IMAGENET_STD))
    x = op.divide(op.subtract(patch, op.constant(mean)), op.constant(deviation))
    x = _convolution(_to_nchw(x), tensors, "conv1_conv", stride=2, pad=3)
    x = op.relu(_normalised(x, tensors, "conv1_bn"))
    # The padding is with zeros, which after a ReLU is the same as leaving the border out.
    x = op.max_pool(x, [2, 2], [1, 1], [1, 1], [0, 0], [3, 3]).output(0)
    for stage, blocks in enumerate(DENSENET_BLOCKS, start=2):
        for block in range(1, blocks + 1):
            name = f"conv{stage}_block{block}"
            y = op.relu(_normalised(x, tensors, f"{name}_0_bn"))
            y = _convolution(y, tensors, f"{name}_1_conv")
            y = op.relu(_normalised(y, tensors, f"{name}_1_bn"))
            x = op.concat([x, _convolution(y, tensors, f"{name}_2_conv", pad=1)], axis=1)
        if stage <= len(DENSENET_BLOCKS):
            x = op.relu(_normalised(x, tensors, f"pool{stage}_bn"))
            # Averaged first, which comes to the same: a 1 x 1 convolution on a quarter of places.
            x = op.avg_pool(x, [2, 2], [0, 0], [0, 0], [2, 2], True)
            x = _convolution(x, tensors, f"pool{stage}_conv")
    x = op.relu(_normalised(x, tensors, "bn"))
    return _Trunk(_to_nhwc(x), op.reduce_mean(x, op.constant(np.array([2, 3], np.int64)), False))


_TRUNKS: Mapping[str, Callable[[Any, Tensors], _Trunk]] = MappingProxyType(
    {"cnn": _cnn, "densenet121": _densenet121}
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


def _pool(kind: Any, x: Any, side: int) -> Any:
    return kind(x, [side] * 2, [1, 1], [0, 0], [0, 0], [side] * 2).output(0)


def _to_nchw(x: Any) -> Any:
    return op.transpose(x, op.constant(np.array([0, 3, 1, 2], np.int64)))


def _to_nhwc(x: Any) -> Any:
    return op.transpose(x, op.constant(np.array([0, 2, 3, 1], np.int64)))
