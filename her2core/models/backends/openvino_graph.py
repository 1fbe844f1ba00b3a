"""The OpenVINO graph of a network's description, straight from the tensors of a bundle.

No converter is needed, and neither is TensorFlow. Tests hold the graph to the keras model of the
same description, and it is used only after it has given TensorFlow's answers on the bundle's own
patches (`parity.py`).

Kernels stay float16, as they are stored, and are widened when the graph is compiled: no bit of them
changes, and half the memory is read.

A processor that is faster in bfloat16 rounds every value to eight bits. That costs most in the
first layers and in the head, which are quick anyway: so the network also comes in three parts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as op

from her2core.models.architectures import description as kinds
from her2core.models.architectures.description import FEATURES, HIDDEN, LOGITS, SIDE, Layer, Network

Tensors = Mapping[str, npt.NDArray[np.generic]]


class Parts(NamedTuple):
    """A network in three graphs, each reading what the one before gives, for one patch.

    Attributes:
        first: from the patch. Rounding here is multiplied by everything that follows.
        middle: nearly all of the work and little of the harm that rounding does.
        last: to what `build_graph` gives.
    """

    first: ov.Model
    middle: ov.Model
    last: ov.Model


def build_graph(network: Network, tensors: Tensors) -> ov.Model:
    """A network for one patch.

    Args:
        network: its description.
        tensors: its weights, as weights.safetensors holds them.

    Returns:
        A model from float32 (1, 224, 224, 3) to logits (1, 4), last feature map (1, h, w, c) and
        hidden activations (1, units), all float32 and in this order.

    Raises:
        KeyError: a tensor is missing.
    """
    patch = _patch()
    values = _run(network.layers, _to_nchw(patch), tensors)
    return ov.Model(_results(values), [patch], network.name)


def build_parts(network: Network, tensors: Tensors) -> Parts:
    """The same network cut in three, so that each part can be computed in a precision of its own.

    Args and errors are those of `build_graph`.
    """
    names = [layer.name for layer in network.layers]
    first_end, middle_end = (
        names.index(cut) + 1 for cut in (network.float32_until, network.float32_from)
    )
    patch = _patch()
    until = _run(network.layers[:first_end], _to_nchw(patch), tensors)[network.float32_until]
    first = ov.Model([op.result(until)], [patch], f"{network.name} first")
    entry = op.parameter(first.output(0).shape, np.float32)
    start = {network.float32_until: entry}
    last_rounded = _run(network.layers[first_end:middle_end], entry, tensors, start)
    middle_result = op.result(last_rounded[network.float32_from])
    middle = ov.Model([middle_result], [entry], f"{network.name} middle")
    rest = op.parameter(middle.output(0).shape, np.float32)
    start = {network.float32_from: rest}
    outputs = _results(_run(network.layers[middle_end:], rest, tensors, start))
    return Parts(first, middle, ov.Model(outputs, [rest], f"{network.name} last"))


def _run(
    layers: Sequence[Layer], x: Any, tensors: Tensors, start: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Name of each layer -> its output, channels before rows; `start` are outputs already there."""
    outputs = dict(start or {})
    for layer in layers:
        x = outputs[layer.name] = _apply(layer, x, outputs, tensors)
    return outputs


def _apply(layer: Layer, x: Any, outputs: Mapping[str, Any], tensors: Tensors) -> Any:
    match layer:
        case kinds.Scaling(mean=mean, deviation=deviation):
            return op.divide(op.subtract(x, _per_channel(mean)), _per_channel(deviation))
        case kinds.Conv(name=name, stride=stride, pad=pad, bias=bias, relu=relu):
            kernel = tensors[f"{name}/kernel"].transpose(3, 2, 0, 1)  # keras keeps (h, w, in, out)
            x = op.convolution(x, _weight(kernel), [stride] * 2, [pad] * 2, [pad] * 2, [1, 1])
            if bias:
                x = op.add(x, _per_channel(tensors[f"{name}/bias"]))
            return op.relu(x) if relu else x
        case kinds.BatchNorm(name=name, epsilon=epsilon):
            gamma, beta, mean, variance = (
                op.constant(np.asarray(tensors[f"{name}/{part}"], np.float32))
                for part in ("gamma", "beta", "moving_mean", "moving_variance")
            )
            return op.batch_norm_inference(x, gamma, beta, mean, variance, epsilon)
        case kinds.Relu():
            return op.relu(x)
        case kinds.MaxPool(size=size, stride=stride, pad=pad):
            # behind a ReLU padding with zeros is the same as leaving the border out
            window = ([stride] * 2, [1, 1], [pad] * 2, [pad] * 2, [size] * 2)
            return op.max_pool(x, *window).output(0)
        case kinds.AveragePool():
            return op.avg_pool(x, [2, 2], [0, 0], [0, 0], [2, 2], True)
        case kinds.Concat(earlier=earlier):
            return op.concat([outputs[earlier], x], axis=1)
        case kinds.Flatten():
            return op.reshape(_to_nhwc(x), _ints(0, -1), True)
        case kinds.GlobalAverage():
            return op.reduce_mean(x, _ints(2, 3), False)
        case kinds.Dense(name=name, relu=relu):
            product = op.matmul(x, _weight(tensors[f"{name}/kernel"]), False, False)
            x = op.add(product, op.constant(np.asarray(tensors[f"{name}/bias"], np.float32)))
            return op.relu(x) if relu else x
        case kinds.Identity() | kinds.Dropout() | kinds.Softmax():
            return x  # probabilities are made of the logits elsewhere


def _results(outputs: Mapping[str, Any]) -> list[Any]:
    features = _to_nhwc(outputs[FEATURES])
    return [op.result(value) for value in (outputs[LOGITS], features, outputs[HIDDEN])]


def _patch() -> Any:
    return op.parameter([1, SIDE, SIDE, 3], np.float32, name="patch")


def _weight(values: npt.NDArray[np.generic]) -> Any:
    """A constant that stays as small as it is stored, read as float32."""
    constant = op.constant(np.ascontiguousarray(values))
    return constant if values.dtype == np.float32 else op.convert(constant, "f32")


def _per_channel(values: npt.ArrayLike) -> Any:
    return op.constant(np.asarray(values, np.float32).reshape(1, -1, 1, 1))


def _ints(*values: int) -> Any:
    return op.constant(np.array(values, np.int64))


def _to_nchw(x: Any) -> Any:
    return op.transpose(x, _ints(0, 3, 1, 2))


def _to_nhwc(x: Any) -> Any:
    return op.transpose(x, _ints(0, 2, 3, 1))
