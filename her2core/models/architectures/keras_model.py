"""The keras model of a network's description, with fresh or ImageNet weights."""

from collections.abc import Mapping
from typing import Any

import keras

from her2core.models.architectures import description as kinds
from her2core.models.architectures.description import SIDE, Layer, Network, WeightsUnavailableError


def build(
    network: Network, *, dropout: float = 0.5, size: int | None = SIDE, imagenet: bool = False
) -> keras.Model:
    """Build a network.

    Args:
        network: its description.
        dropout: rate of its dropout layers, before their share of it.
        size: side of the square input in pixels; None leaves it open, which a network that flattens
            its last feature map cannot have.
        imagenet: start from the ImageNet weights of keras.applications, the head at random.

    Returns:
        Model from float32 (n, size, size, 3) in [0, 1] to float32 (n, 4) probabilities; its layers
        and weights have the names of the description.

    Raises:
        WeightsUnavailableError: ImageNet weights were asked for and cannot be had.
    """
    x = inputs = keras.Input((size, size, 3), name="patch")
    outputs: dict[str, Any] = {}
    for layer in network.layers:
        x = outputs[layer.name] = _apply(layer, x, outputs, dropout)
    model = keras.Model(inputs, x, name=network.name)
    if imagenet:
        _put_imagenet_weights(model, network)
    return model


def _apply(layer: Layer, x: Any, outputs: Mapping[str, Any], dropout: float) -> Any:
    layers = keras.layers
    name = layer.name
    match layer:
        case kinds.Scaling(mean=mean, deviation=deviation):
            variance = [value * value for value in deviation]
            return layers.Normalization(mean=mean, variance=variance, name=name)(x)
        case kinds.Conv(filters=filters, size=size, stride=stride, pad=pad, bias=bias, relu=relu):
            same = stride == 1 and 2 * pad == size - 1
            if pad and not same:
                x = layers.ZeroPadding2D(pad, name=f"{name}_pad")(x)
            return layers.Conv2D(
                filters,
                size,
                strides=stride,
                padding="same" if same else "valid",
                use_bias=bias,
                activation="relu" if relu else None,
                name=name,
            )(x)
        case kinds.BatchNorm(epsilon=epsilon):
            return layers.BatchNormalization(epsilon=epsilon, name=name)(x)
        case kinds.Relu():
            return layers.Activation("relu", name=name)(x)
        case kinds.Identity():
            return layers.Activation("linear", name=name)(x)
        case kinds.MaxPool(size=size, stride=stride, pad=pad):
            if pad:
                x = layers.ZeroPadding2D(pad, name=f"{name}_pad")(x)
            return layers.MaxPooling2D(size, stride, name=name)(x)
        case kinds.AveragePool():
            return layers.AveragePooling2D(2, name=name)(x)
        case kinds.Concat(earlier=earlier):
            return layers.Concatenate(name=name)([outputs[earlier], x])
        case kinds.Flatten():
            return layers.Flatten(name=name)(x)
        case kinds.GlobalAverage():
            return layers.GlobalAveragePooling2D(name=name)(x)
        case kinds.Dropout(share=share):
            return layers.Dropout(dropout * share, name=name)(x)
        case kinds.Dense(units=units, relu=relu):
            return layers.Dense(units, activation="relu" if relu else None, name=name)(x)
        case kinds.Softmax():
            return layers.Softmax(dtype="float32", name=name)(x)


def _put_imagenet_weights(model: keras.Model, network: Network) -> None:
    try:
        source = getattr(keras.applications, network.imagenet)(
            include_top=False, weights="imagenet"
        )
    except Exception as error:
        raise WeightsUnavailableError(
            f"The ImageNet weights of {network.title} could not be downloaded. Check the network, "
            "put the file keras asks for into ~/.keras/models, or train from random weights with "
            "imagenet = false in the recipe (needs far more data)."
        ) from error
    take_weights(model, source)


def take_weights(model: keras.Model, source: keras.Model) -> None:
    """Give a model every weight that the other one has, by its path.

    Raises:
        KeyError: the other one has a weight that the model lacks.
    """
    own = {weight.path: weight for weight in model.weights}
    for weight in source.weights:
        own[weight.path].assign(weight)
