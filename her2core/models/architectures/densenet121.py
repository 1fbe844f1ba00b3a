"""DenseNet121 (Huang et al., CVPR 2017) with a small dense head over the four HER2 scores."""

from __future__ import annotations

from typing import Literal

import keras

from her2core.models.architectures.imagenet import IMAGENET_MEAN, IMAGENET_STD

FEATURE_LAYER = "features"


class WeightsUnavailableError(RuntimeError):
    """The ImageNet weights could not be downloaded or read."""


def build_densenet121(
    weights: Literal["imagenet"] | None = None,
    dropout: float = 0.5,
    hidden: int = 256,
    size: int | None = 224,
) -> keras.Model:
    """Build DenseNet121 with its classification head.

    Args:
        weights: "imagenet" asks keras.applications for the ImageNet weights; None starts at random.
        dropout: rate before and after the hidden layer's input.
        hidden: units of the dense layer between pooling and softmax.
        size: side of the square input in pixels; None leaves it open (the weights fit any size).

    Returns:
        Model from float32 (n, size, size, 3) in [0, 1] to float32 (n, 4) probabilities. The
        ImageNet mean / standard deviation scaling is its first layer. Its layer "features" is the
        last feature map, (n, 7, 7, 1024) at 224 pixels; "logits" gives the scores before softmax.

    Raises:
        WeightsUnavailableError: ImageNet weights were asked for and cannot be had.
    """
    inputs = keras.Input((size, size, 3), name="patch")
    scaled = keras.layers.Normalization(
        mean=IMAGENET_MEAN, variance=[s * s for s in IMAGENET_STD], name="imagenet_scaling"
    )(inputs)
    try:
        backbone = keras.applications.DenseNet121(
            include_top=False, weights=weights, input_tensor=scaled
        )
    except Exception as error:
        if weights is None:
            raise
        raise WeightsUnavailableError(
            "The ImageNet weights of DenseNet121 could not be downloaded. Check the network, put "
            "the file keras asks for into ~/.keras/models, or train from random weights with "
            "imagenet = false in the recipe (needs far more data)."
        ) from error
    x = keras.layers.Activation("linear", name=FEATURE_LAYER)(backbone.output)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    x = keras.layers.Dense(hidden, activation="relu", name="hidden")(x)
    x = keras.layers.Dropout(dropout / 2, name="dropout_hidden")(x)
    logits = keras.layers.Dense(4, name="logits")(x)
    outputs = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(inputs, outputs, name="densenet121")
