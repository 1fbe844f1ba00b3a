"""DenseNet121 in two phases: a head on the frozen backbone's features, then the last blocks.

The backbone answers once for every patch, without augmentation, and its pooled features are kept on
disk, so that a stopped run goes on with them. A head learns from them in minutes.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from her2core.common.files import write_atomically
from her2core.training.data.batches import Drawn, Mixture, Slice, choose, stream
from her2core.training.recipe import Recipe

HEAD_LAYERS = ("dropout", "hidden", "dropout_hidden", "logits", "probabilities")
POOL_LAYER = "pool"
_BATCH = 32


def keep_features(
    folder: Path,
    model: Any,
    images: npt.NDArray[np.uint8],
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Pooled features of pictures: computed once, and read again from the folder after a stop.

    Args:
        folder: keeps them, under what they are of.
        model: DenseNet121 of this project.
        images: uint8 (n, side, side, 3).
        progress: told (done, total) while features are computed.

    Returns:
        float32 (n, 1024).

    Raises:
        OSError: the folder cannot be written.
    """
    digest = hashlib.sha256(backbone_sha256(model).encode())
    digest.update(np.ascontiguousarray(images).data)
    path = folder / f"{digest.hexdigest()[:16]}.safetensors"
    try:
        features: npt.NDArray[np.float32] = load(path.read_bytes())["features"]
    except (OSError, SafetensorError, KeyError):  # a damaged file is as good as none
        features = _compute(model, images, progress)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, save({"features": features}))
    return features


def backbone_sha256(model: Any) -> str:
    """Hash of every weight below the pooling layer, and of the input's size."""
    digest = hashlib.sha256(repr(model.inputs[0].shape).encode())
    head = {weight.path for name in HEAD_LAYERS for weight in model.get_layer(name).weights}
    for weight in model.weights:
        if weight.path not in head:
            digest.update(np.ascontiguousarray(weight.value.numpy()).tobytes())
    return digest.hexdigest()


def head_of(model: Any) -> Any:
    """A model from features, float32 (n, 1024), to probabilities, sharing the head's layers."""
    import keras

    inputs = keras.Input((int(model.get_layer(POOL_LAYER).output.shape[-1]),), name="features")
    x = inputs
    for name in HEAD_LAYERS:
        x = model.get_layer(name)(x)
    return keras.Model(inputs, x, name="head")


def train_only_blocks(model: Any, blocks: int | None) -> None:
    """Make the head and the last dense blocks trainable, batch normalisation nowhere.

    Layers of batch normalisation that are not trainable work in inference mode in keras: a small
    set of patches must not shift statistics learnt from a large one.

    Args:
        model: DenseNet121 of this project.
        blocks: how many of the last dense blocks, 1 to 4; 5 opens the stem before them, too; None
            leaves every layer as it is.
    """
    import keras

    if blocks is None:
        return
    opened = tuple(f"conv{number}_" for number in range(6 - blocks, 6)) + tuple(
        f"pool{number}_" for number in range(6 - blocks, 5)
    )
    for layer in model.layers:
        in_block = layer.name.startswith(opened) and not isinstance(
            layer, keras.layers.BatchNormalization
        )
        layer.trainable = in_block or layer.name in HEAD_LAYERS


def feature_batches(
    mixture: Mixture,
    features: Sequence[npt.NDArray[np.float32]],
    recipe: Recipe,
    first_step: int,
    rows: Slice,
) -> Any:
    """A tf.data.Dataset of feature batches: the patches that `batches` would have drawn."""
    index = mixture.by_class()
    each = recipe.batch // rows.count

    def draw(step: int, which: int) -> Drawn:
        chosen = choose(mixture, index, recipe, step)[which * each : (which + 1) * each]
        values = np.stack([features[source][patch] for source, patch in chosen])
        labels = [mixture.sets[source].labels[patch] for source, patch in chosen]
        return values, np.eye(4, dtype=np.float32)[labels]

    return stream(draw, (each, features[0].shape[1]), rows, first_step)


def _compute(
    model: Any, images: npt.NDArray[np.uint8], progress: Callable[[int, int], None] | None
) -> npt.NDArray[np.float32]:
    import keras
    import tensorflow as tf

    backbone = keras.Model(model.inputs[0], model.get_layer(POOL_LAYER).output)
    shape = [None, *model.inputs[0].shape[1:]]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])  # type: ignore[untyped-decorator]
    def pooled(pixels: Any) -> Any:
        return tf.cast(backbone(pixels, training=False), tf.float32)

    parts = []
    for start in range(0, len(images), _BATCH):
        part = images[start : start + _BATCH]
        parts.append(pooled(part.astype(np.float32) / 255).numpy())
        if progress is not None:
            progress(start + len(part), len(images))
    return np.concatenate(parts)
