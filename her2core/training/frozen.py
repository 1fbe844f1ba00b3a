"""DenseNet121 in two phases: a head on the frozen backbone's features, then the last blocks.

The backbone answers once for every patch, without augmentation, and its pooled features are kept on
disk under the weights and the pictures they belong to. A head learns from them in minutes.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from her2core.common.files import write_atomically
from her2core.training.data.batches import Mixture, choose
from her2core.training.machines import Machines
from her2core.training.recipe import Recipe

HEAD_LAYERS = ("dropout", "hidden", "dropout_hidden", "logits", "probabilities")
POOL_LAYER = "pool"


@dataclass(frozen=True)
class FeatureCache:
    """Pooled features on disk, one file per backbone: rows under the sha256 of their picture."""

    folder: Path

    def features(
        self,
        model: Any,
        images: npt.NDArray[np.uint8],
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Features of pictures, computed once.

        Args:
            model: DenseNet121 of this project.
            images: uint8 (n, side, side, 3).
            progress: told (done, total) while features are computed.

        Returns:
            float32 (n, 1024).

        Raises:
            OSError: the cache cannot be written.
        """
        path = self.folder / f"{backbone_sha256(model)[:16]}.safetensors"
        known = _read(path)
        sums = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
        missing = list(
            {digest: row for row, digest in enumerate(sums) if digest not in known}.values()
        )
        if missing:
            known |= _compute(model, images, sums, missing, progress)
            self.folder.mkdir(parents=True, exist_ok=True)
            digests = sorted(known)
            rows = np.array([list(bytes.fromhex(digest)) for digest in digests], np.uint8)
            table = {"sha256": rows, "features": np.stack([known[digest] for digest in digests])}
            write_atomically(path, save(table))
        return np.stack([known[digest] for digest in sums])


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
    machines: Machines,
    first_step: int,
) -> Any:
    """A tf.data.Dataset of feature batches: the patches that `batches` would have drawn."""
    import tensorflow as tf

    index = mixture.by_class()
    rows = machines.rows(recipe.batch)
    each, local = recipe.batch // rows.count, rows.last - rows.first

    def draw(number: Any) -> Any:
        step, which = divmod(int(number), local)
        first = (rows.first + which) * each
        chosen = choose(mixture, index, recipe, step)[first : first + each]
        values = np.stack([features[source][patch] for source, patch in chosen])
        labels = [mixture.sets[source].labels[patch] for source, patch in chosen]
        return values, np.eye(4, dtype=np.float32)[labels]

    def as_tensors(number: Any) -> Any:
        values, targets = tf.numpy_function(draw, [number], [tf.float32, tf.float32])
        values.set_shape((each, features[0].shape[1]))
        targets.set_shape((each, 4))
        return values, targets

    numbers = tf.data.Dataset.range(first_step * local, 1 << 40)
    return numbers.map(as_tensors).prefetch(8)


def _compute(
    model: Any,
    images: npt.NDArray[np.uint8],
    sums: Sequence[str],
    rows: Sequence[int],
    progress: Callable[[int, int], None] | None,
) -> dict[str, npt.NDArray[np.float32]]:
    import keras
    import tensorflow as tf

    backbone = keras.Model(model.inputs[0], model.get_layer(POOL_LAYER).output)
    shape = [None, *model.inputs[0].shape[1:]]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])  # type: ignore[untyped-decorator]
    def pooled(pixels: Any) -> Any:
        return tf.cast(backbone(pixels, training=False), tf.float32)

    found: dict[str, npt.NDArray[np.float32]] = {}
    for start in range(0, len(rows), 32):
        part = list(rows[start : start + 32])
        answers = pooled(images[part].astype(np.float32) / 255).numpy()
        found |= {sums[row]: answer for row, answer in zip(part, answers, strict=True)}
        if progress is not None:
            progress(start + len(part), len(rows))
    return found


def _read(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Rows by sha256; a damaged cache is as good as none."""
    try:
        table = load(path.read_bytes())
        digests = [bytes(row).hex() for row in table["sha256"]]
        return dict(zip(digests, table["features"], strict=True))
    except (OSError, SafetensorError, KeyError, ValueError):
        return {}
