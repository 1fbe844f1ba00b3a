"""Both architectures as ONNX graphs, straight from a bundle's tensors, to try ONNX Runtime with.

The layers are those of `her2core.models.backends.openvino_graph`, in ONNX's words; nothing of the
product reads them. Needs the package onnx (requirements-dev.txt).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from her2core.models.architectures.imagenet import IMAGENET_MEAN, IMAGENET_STD
from her2core.models.architectures.shapes import DENSENET_BLOCKS, EPSILON

Tensors = Mapping[str, npt.NDArray[np.generic]]
_OPSET = 21
_IR_VERSION = 10


def build_onnx(architecture: str, tensors: Tensors, temperature: float) -> bytes:
    """The network of a bundle as a serialised ONNX model.

    Args:
        architecture: registry name.
        tensors: its weights, as weights.safetensors holds them.
        temperature: divides the logits before softmax.

    Returns:
        A model from "patch", float32 (n, 224, 224, 3), to "probabilities", float32 (n, 4), and the
        last feature map "features", (n, channels, h, w).

    Raises:
        KeyError: a tensor is missing, or the architecture has no graph here.
    """
    graph = _Graph(tensors)
    build = {"cnn": _cnn, "densenet121": _densenet121}[architecture]
    features, rows = build(graph)
    hidden = graph.add("Relu", graph.dense(rows, "hidden"))
    logits = graph.dense(hidden, "logits")
    scaled = graph.add("Div", logits, graph.constant(np.float32(temperature)))
    graph.add("Softmax", scaled, output="probabilities", axis=1)
    graph.add("Identity", features, output="features")
    return graph.model(architecture)


def _cnn(graph: _Graph) -> tuple[str, str]:
    x = graph.add("Transpose", "patch", perm=[0, 3, 1, 2])
    for block in (1, 2, 3, 4):
        x = graph.add("Relu", graph.convolution(x, f"conv{block}", bias=True))
        x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return x, graph.add("Flatten", graph.add("Transpose", x, perm=[0, 2, 3, 1]))


def _densenet121(graph: _Graph) -> tuple[str, str]:
    mean, deviation = (np.array(each, np.float32) for each in (IMAGENET_MEAN, IMAGENET_STD))
    x = graph.add("Sub", "patch", graph.constant(mean))
    x = graph.add("Div", x, graph.constant(deviation))
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    x = graph.convolution(x, "conv1_conv", stride=2, pad=3)
    x = graph.add("Relu", graph.normalised(x, "conv1_bn"))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, layers in enumerate(DENSENET_BLOCKS, start=2):
        if stage > 2:
            x = graph.add("Relu", graph.normalised(x, f"pool{stage - 1}_bn"))
            x = graph.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
            x = graph.convolution(x, f"pool{stage - 1}_conv")
        for block in range(1, layers + 1):
            name = f"conv{stage}_block{block}"
            y = graph.add("Relu", graph.normalised(x, f"{name}_0_bn"))
            y = graph.convolution(y, f"{name}_1_conv")
            y = graph.add("Relu", graph.normalised(y, f"{name}_1_bn"))
            x = graph.add("Concat", x, graph.convolution(y, f"{name}_2_conv", pad=1), axis=1)
    features = graph.add("Relu", graph.normalised(x, "bn"))
    pooled = graph.add("GlobalAveragePool", features)
    return features, graph.add("Flatten", pooled)


class _Graph:
    """Nodes and constants of one graph, named as they come."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: npt.ArrayLike) -> str:
        name = f"constant_{len(self._constants)}"
        array = np.ascontiguousarray(values, np.float32)
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def convolution(
        self, x: str, name: str, stride: int = 1, pad: int = 0, bias: bool = False
    ) -> str:
        # keras keeps kernels (h, w, in, out)
        kernel = self.constant(self._tensors[f"{name}/kernel"].transpose(3, 2, 0, 1))
        more = [self.constant(self._tensors[f"{name}/bias"])] if bias else []
        return self.add("Conv", x, kernel, *more, strides=[stride] * 2, pads=[pad] * 4)

    def normalised(self, x: str, name: str) -> str:
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        values = [self.constant(self._tensors[f"{name}/{part}"]) for part in parts]
        return self.add("BatchNormalization", x, *values, epsilon=EPSILON)

    def dense(self, x: str, name: str) -> str:
        kernel, bias = (self.constant(self._tensors[f"{name}/{p}"]) for p in ("kernel", "bias"))
        return self.add("Gemm", x, kernel, bias)

    def model(self, name: str) -> bytes:
        def values(name: str, shape: Sequence[int | str | None]) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self._nodes,
            name,
            [values("patch", ["n", 224, 224, 3])],
            [values("probabilities", ["n", 4]), values("features", ["n", None, None, None])],
            self._constants,
        )
        opset = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)
        found: bytes = model.SerializeToString()
        return found
