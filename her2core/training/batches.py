"""Endless, seeded, class-balanced batches from one or more sets, fed to Keras by tf.data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from her2core.training.augment import augment
from her2core.training.datasets import DatasetError, PatchSet
from her2core.training.recipe import Recipe


@dataclass(frozen=True)
class Mixture:
    """Training sets and the share of each batch that comes from each."""

    sets: tuple[PatchSet, ...]
    shares: tuple[float, ...]

    def by_class(self) -> list[list[npt.NDArray[np.int64]]]:
        """Per set, per class: the indices of its patches.

        Raises:
            DatasetError: a class is empty in every set.
        """
        index = [[np.flatnonzero(part.labels == c) for c in range(4)] for part in self.sets]
        for c in range(4):
            if not any(len(part[c]) for part in index):
                raise DatasetError(f"No training patch has class {c}; every class needs some.")
        return index


def draw_batch(
    mixture: Mixture,
    index: Sequence[Sequence[npt.NDArray[np.int64]]],
    recipe: Recipe,
    step: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The batch of a step: depends on the seed and the step only, so that a run can resume.

    Classes are drawn evenly, whatever their number of patches.

    Returns:
        float32 (batch, size, size, 3) in [0, 1] and one-hot float32 (batch, 4).
    """
    rng = np.random.default_rng([recipe.seed, step])
    pixels = np.empty((recipe.batch, recipe.size, recipe.size, 3), np.float32)
    targets = np.zeros((recipe.batch, 4), np.float32)
    for row in range(recipe.batch):
        wanted = int(rng.integers(4))
        source = int(rng.choice(len(mixture.sets), p=mixture.shares))
        if len(index[source][wanted]) == 0:
            source = next(s for s in range(len(index)) if len(index[s][wanted]))
        chosen = int(rng.choice(index[source][wanted]))
        pixels[row] = augment(mixture.sets[source].images[chosen], recipe.augmentation, rng)
        targets[row, wanted] = 1.0
    return pixels, targets


def batches(mixture: Mixture, recipe: Recipe, first_step: int = 0) -> Any:
    """A tf.data.Dataset of the batches from `first_step` on, prepared beside the training step."""
    import tensorflow as tf

    index = mixture.by_class()

    def draw(step: Any) -> Any:
        return draw_batch(mixture, index, recipe, int(step))

    def as_tensors(step: Any) -> Any:
        pixels, targets = tf.numpy_function(draw, [step], [tf.float32, tf.float32])
        pixels.set_shape((recipe.batch, recipe.size, recipe.size, 3))
        targets.set_shape((recipe.batch, 4))
        return pixels, targets

    steps = tf.data.Dataset.range(first_step, 1 << 40)
    return steps.map(as_tensors, num_parallel_calls=2, deterministic=True).prefetch(4)
