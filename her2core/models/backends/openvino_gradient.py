"""DenseNet121's gradient of a class probability by the pixels, written out as an OpenVINO graph.

A framework that differentiates by itself keeps every intermediate value and goes over it once for
each small operation; in DenseNet121 these passes over memory cost as much as the convolutions.
Written out, a layer's way back is one convolution and one masked sum:

- batch normalisation is a scale: behind a convolution it is folded into the kernel, before one it
  is folded into the kernel of the way back;
- ReLU passes what was positive; max-pooling hands on to the first largest value of each window;
- average pooling commutes with the 1 x 1 convolution beside it, which then works on a quarter of
  the places, both ways;
- the way back through the first, strided convolution yields blocks of 2 x 2 pixels, twelve
  channels at once instead of three, since processors compute eight or more together.

Tests hold it to TensorFlow's gradient. The CNN has few small operations: TensorFlow is faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as op

from her2core.models.architectures.imagenet import IMAGENET_MEAN, IMAGENET_STD
from her2core.models.architectures.shapes import DENSENET_BLOCKS, EPSILON, FEATURE_SHAPES

Floats = npt.NDArray[np.float32]
Tensors = Mapping[str, npt.NDArray[np.generic]]


def build_gradient(tensors: Tensors, temperature: float) -> ov.Model:
    """The gradient's graph for one patch.

    Args:
        tensors: DenseNet121's weights, as weights.safetensors holds them.
        temperature: divides the logits before softmax.

    Returns:
        A model from float32 (1, 224, 224, 3) and weights of the four probabilities (4,) to the
        gradient of their weighted sum, float32 (1, 224, 224, 3).

    Raises:
        KeyError: a tensor is missing.
    """
    weights = {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
    patch = op.parameter([1, 224, 224, 3], np.float32, name="patch")
    wanted = op.parameter([4], np.float32, name="wanted")
    gradient = _by_pixels(patch, wanted, weights, temperature)
    result = op.result(op.transpose(gradient, _ints((0, 2, 3, 1))))
    return ov.Model([result], [patch, wanted], "densenet121_gradient")


def _by_pixels(patch: Any, wanted: Any, weights: Mapping[str, Floats], temperature: float) -> Any:
    mean, deviation = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    scaled = op.divide(op.subtract(patch, op.constant(mean)), op.constant(deviation))
    scale, shift = _affine(weights, "conv1_bn")
    stem_kernel = weights["conv1_conv/kernel"] * scale
    x = op.transpose(scaled, _ints((0, 3, 1, 2)))
    stem = op.relu(_biased(_forward(x, stem_kernel, stride=2, pad=3), shift))
    x = pooled = op.max_pool(stem, [2, 2], [1, 1], [1, 1], [0, 0], [3, 3]).output(0)

    layers: list[tuple[str, Any, Any, int]] = []  # name, gate, inner gate, channels before
    for stage, blocks in enumerate(DENSENET_BLOCKS, start=2):
        for block in range(1, blocks + 1):
            name = f"conv{stage}_block{block}"
            gate = op.relu(_normalised(x, weights, f"{name}_0_bn"))
            scale, shift = _affine(weights, f"{name}_1_bn")
            inner = op.relu(
                _biased(_forward(gate, weights[f"{name}_1_conv/kernel"] * scale), shift)
            )
            added = _forward(inner, weights[f"{name}_2_conv/kernel"], pad=1)
            layers.append((name, gate, inner, len(weights[f"{name}_0_bn/gamma"])))
            x = op.concat([x, added], axis=1)
        if stage <= len(DENSENET_BLOCKS):
            gate = op.relu(_normalised(x, weights, f"pool{stage}_bn"))
            halved = op.avg_pool(gate, [2, 2], [0, 0], [0, 0], [2, 2], True)
            x = _forward(halved, weights[f"pool{stage}_conv/kernel"])
            layers.append((f"pool{stage}", gate, None, 0))
    features = op.relu(_normalised(x, weights, "bn"))
    averaged = op.reduce_mean(features, _ints((2, 3)), False)

    back = _head(averaged, wanted, weights, temperature)
    height, width, channels = FEATURE_SHAPES["densenet121"]
    share = _affine(weights, "bn")[0] / np.float32(height * width)
    spread = op.reshape(op.multiply(back, op.constant(share)), _ints((1, channels, 1, 1)), False)
    back = _where_positive(features, op.broadcast(spread, _ints((1, channels, height, width))))
    for name, gate, inner, before in reversed(layers):
        if inner is None:
            scale = _affine(weights, f"{name}_bn")[0] / np.float32(4)
            back = _backward(back, weights[f"{name}_conv/kernel"], scale)
            back = _where_positive(gate, _doubled(back))
            continue
        front, own = _split(back, before)
        own = _backward(own, weights[f"{name}_2_conv/kernel"], pad=1)
        own = _where_positive(inner, own)
        kernel = weights[f"{name}_1_conv/kernel"] * _affine(weights, f"{name}_1_bn")[0]
        own = _backward(own, kernel, _affine(weights, f"{name}_0_bn")[0])
        back = op.add(front, _where_positive(gate, own))
    back = _before_overlapping_pool(_where_positive(pooled, back), stem, pooled)
    return _before_strided(back, stem_kernel / deviation[:, None])


def _head(rows: Any, wanted: Any, weights: Mapping[str, Floats], temperature: float) -> Any:
    """The gradient by the rows (1, values) that the hidden layer reads."""
    hidden_kernel, hidden_bias, logits_kernel, logits_bias = (
        op.constant(weights[name])
        for name in ("hidden/kernel", "hidden/bias", "logits/kernel", "logits/bias")
    )
    hidden = op.relu(op.add(op.matmul(rows, hidden_kernel, False, False), hidden_bias))
    logits = op.add(op.matmul(hidden, logits_kernel, False, False), logits_bias)
    warmth = op.constant(np.float32(temperature))
    chances = op.softmax(op.divide(logits, warmth), axis=1)
    mean = op.reduce_sum(op.multiply(chances, wanted), _ints((1,)), True)
    by_logits = op.divide(op.multiply(chances, op.subtract(wanted, mean)), warmth)
    by_hidden = _where_positive(hidden, op.matmul(by_logits, logits_kernel, False, True))
    return op.matmul(by_hidden, hidden_kernel, False, True)


def _forward(x: Any, kernel: Floats, stride: int = 1, pad: int = 0) -> Any:
    weight = op.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    return op.convolution(x, weight, [stride] * 2, [pad] * 2, [pad] * 2, [1, 1])


def _backward(gradient: Any, kernel: Floats, scale: Floats | None = None, pad: int = 0) -> Any:
    """Through a convolution of stride 1: one with the kernel turned and its channels exchanged.

    Args:
        gradient: by the convolution's output.
        kernel: keras's, (h, w, in, out).
        scale: of the normalisation before the convolution, (in,).
        pad: kernel size - 1 - the convolution's own padding.
    """
    turned = kernel[::-1, ::-1]
    if scale is not None:
        turned = turned * scale[:, None]
    weight = op.constant(np.ascontiguousarray(turned.transpose(2, 3, 0, 1)))
    return op.convolution(gradient, weight, [1, 1], [pad] * 2, [pad] * 2, [1, 1])


def _before_overlapping_pool(gradient: Any, active: Any, pooled: Any) -> Any:
    """Through max-pooling of 3 x 3 windows at every second place, padded by one.

    In the padded picture a window's value at (row, column) of the window belongs to the plane of
    the places of its parity; those of row or column 2 to the next place of that plane.
    """
    height, width = (int(side) for side in active.output(0).shape[2:])
    rows, columns = height // 2, width // 2
    padded = _padded(active, (1, 1), (1, 1))
    planes = op.split(op.space_to_depth(padded, "blocks_first", 2), op.constant(np.int64(1)), 4)
    places = [(row, column) for row in range(3) for column in range(3)]
    values = [
        _cropped(planes.output(row % 2 * 2 + column % 2), (row // 2, column // 2), (rows, columns))
        for row, column in places
    ]
    found = _firsts(values, pooled, gradient)
    sums: list[Any] = [None] * 4
    for (row, column), part in zip(places, found, strict=True):
        plane = row % 2 * 2 + column % 2
        start = (row // 2, column // 2)
        moved = _padded(part, start, (1 - start[0], 1 - start[1]))
        sums[plane] = moved if sums[plane] is None else op.add(sums[plane], moved)
    whole = op.depth_to_space(op.concat(sums, axis=1), "blocks_first", 2)
    return _cropped(whole, (1, 1), (height, width))


def _before_strided(gradient: Any, kernel: Floats) -> Any:
    """Through the convolution of 7 x 7, stride 2, padding 3, with three input channels.

    Pixel 2 i + a of a row gets from output i + d the kernel's value a + 3 - 2 d: four neighbours d
    from -1 to 2, so one convolution of 4 x 4 yields the 2 x 2 pixels (a, b) as twelve channels.
    """
    blocks = np.zeros((2, 2, 3, kernel.shape[3], 4, 4), np.float32)
    taps = [(a, d, a + 3 - 2 * d) for a in range(2) for d in range(-1, 3) if a + 3 - 2 * d >= 0]
    for a, down, row in taps:
        for b, across, column in taps:
            blocks[a, b, :, :, down + 1, across + 1] = kernel[row, column]
    weight = op.constant(blocks.reshape(12, kernel.shape[3], 4, 4))
    return op.depth_to_space(
        op.convolution(gradient, weight, [1, 1], [1, 1], [2, 2], [1, 1]), "blocks_first", 2
    )


def _firsts(values: list[Any], largest: Any, gradient: Any) -> list[Any]:
    """The gradient for the first of the values that is the largest, nothing for the others."""
    nothing = op.constant(np.float32(0))
    found, left = [], gradient
    for value in values:
        here = op.equal(value, largest)
        found.append(op.select(here, left, nothing))
        left = op.select(here, nothing, left)
    return found


def _where_positive(value: Any, gradient: Any) -> Any:
    nothing = op.constant(np.float32(0))
    return op.select(op.greater(value, nothing), gradient, nothing)


def _affine(weights: Mapping[str, Floats], name: str) -> tuple[Floats, Floats]:
    """Batch normalisation as scale and shift."""
    scale = weights[f"{name}/gamma"] / np.sqrt(weights[f"{name}/moving_variance"] + EPSILON)
    shift = weights[f"{name}/beta"] - weights[f"{name}/moving_mean"] * scale
    return scale.astype(np.float32), shift.astype(np.float32)


def _normalised(x: Any, weights: Mapping[str, Floats], name: str) -> Any:
    scale, shift = _affine(weights, name)
    return _biased(op.multiply(x, op.constant(scale.reshape(1, -1, 1, 1))), shift)


def _biased(x: Any, bias: Floats) -> Any:
    return op.add(x, op.constant(bias.reshape(1, -1, 1, 1)))


def _doubled(x: Any) -> Any:
    """Each place four times, as 2 x 2."""
    return op.depth_to_space(op.concat([x] * 4, axis=1), "blocks_first", 2)


def _split(x: Any, channels: int) -> tuple[Any, Any]:
    parts = op.variadic_split(x, op.constant(np.int64(1)), _ints((channels, -1)))
    return parts.output(0), parts.output(1)


def _cropped(x: Any, start: tuple[int, int], size: tuple[int, int]) -> Any:
    ends = (start[0] + size[0], start[1] + size[1])
    return op.slice(x, _ints(start), _ints(ends), _ints((1, 1)), _ints((2, 3)))


def _padded(x: Any, before: tuple[int, int], after: tuple[int, int]) -> Any:
    nothing = op.constant(np.float32(0))
    return op.pad(x, _ints((0, 0, *before)), _ints((0, 0, *after)), "constant", nothing)


def _ints(values: tuple[int, ...]) -> Any:
    return op.constant(np.array(values, np.int64))
