"""The gradient of one class probability by the pixels, compiled, with a cheaper last step.

The last step back to the pixels is the input gradient of the network's first convolution. CPU
libraries pad its three output channels to a whole vector, so that most of the work is wasted: it
takes a tenth of the CNN's gradient. The same numbers come from an ordinary convolution that yields
blocks of 2 x 2 pixels, twelve channels at once, laid out afterwards by depth-to-space.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from her2core.models.classifier import PIXELS, Classifier, compiled

PixelGradient = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
_BLOCK = 2


def pixel_gradient(classifier: Classifier) -> PixelGradient:
    """Compile the gradient.

    Returns:
        A function of pixels float32 (n, 224, 224, 3) and weights (4,), one-hot for a single class,
        giving the gradient of the so weighted temperature-scaled probabilities, float32
        (n, 224, 224, 3).
    """
    model = _with_fast_stem(classifier.scaled)

    def gradient(pixels: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pixels)
            probability = tf.reduce_sum(model(pixels, training=False) * target)
        return tape.gradient(probability, pixels)

    return compiled(gradient, [PIXELS, tf.TensorSpec((4,), tf.float32)], model)


def _with_fast_stem(model: keras.Model) -> keras.Model:
    """The same model (and the same layers), but for how its first convolution goes back."""
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    if first.padding != "valid" or first.strides[0] not in (1, _BLOCK):
        return model
    replacement = keras.layers.Lambda(_stem(first), output_shape=tuple(first.output.shape[1:]))
    return keras.models.clone_model(
        model, clone_function=lambda layer: replacement if layer is first else layer
    )


def _stem(conv: keras.layers.Conv2D) -> Callable[[tf.Tensor], tf.Tensor]:
    """The layer as a function whose gradient by its input is the fast one."""
    kernel = conv.kernel.numpy()
    bias = conv.bias.numpy() if conv.use_bias else np.zeros(kernel.shape[-1], np.float32)
    stride, size = conv.strides[0], int(conv.input.shape[1])
    backwards, first_row, step = block_kernel(kernel, stride)
    blocks = -(-size // _BLOCK)
    rows = int(conv.output.shape[1])
    before = -first_row
    after = step * (blocks - 1) + first_row + backwards.shape[0] - rows
    padding = [[0, 0], [before, after], [before, after], [0, 0]]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolve(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def by_input(by_output: tf.Tensor) -> tf.Tensor:
            padded = tf.pad(by_output, padding)
            wide = tf.nn.conv2d(padded, backwards, step, "VALID")
            return tf.nn.depth_to_space(wide, _BLOCK)[:, :size, :size]

        return tf.nn.conv2d(x, kernel, stride, "VALID"), by_input

    return lambda x: conv.activation(convolve(x) + bias)


def block_kernel(
    kernel: npt.NDArray[np.float32], stride: int
) -> tuple[npt.NDArray[np.float32], int, int]:
    """The kernel that takes a convolution's output gradient to blocks of 2 x 2 input pixels.

    Pixel p = 2 q + r of block q was touched by output o through tap p - stride * o. With
    o = step * q + d that tap is r - stride * d, the same for every block.

    Args:
        kernel: float32 (k, k, in, out) of a convolution without padding.
        stride: 1 or 2.

    Returns:
        Kernel (m, m, out, 4 * in), the smallest d (its first row's offset), and the step.
    """
    size, _, inputs, outputs = kernel.shape
    first = -((size - 1) // stride)
    span = range(first, (_BLOCK - 1) // stride + 1)
    blocks = np.zeros((len(span), len(span), outputs, _BLOCK, _BLOCK, inputs), np.float32)
    for i, down in enumerate(span):
        for j, right in enumerate(span):
            for y in range(_BLOCK):
                for x in range(_BLOCK):
                    tap = y - stride * down, x - stride * right
                    if min(tap) >= 0 and max(tap) < size:
                        blocks[i, j, :, y, x] = kernel[tap].T
    return blocks.reshape(len(span), len(span), outputs, -1), first, _BLOCK // stride
