"""Whether bfloat16 pays on this device: decided by a few steps, and kept for the whole run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from her2core.training.recipe import Recipe

_STEPS, _PATCHES = 2, 8


def faster_in_bfloat16(recipe: Recipe, build: Callable[[Recipe], Any]) -> bool:
    """Time forward and backward passes of a few patches in both precisions, and say how long.

    Processors without instructions for bfloat16 emulate it, ten times slower; on a GPU, and on
    newer processors, it is the faster one.

    Args:
        recipe: of the training.
        build: makes the network of a recipe.
    """
    plain, half = (
        _seconds(build(replace(recipe, imagenet=False, mixed_precision=mixed)), recipe)
        for mixed in (False, True)
    )
    verdict = "bfloat16 is used" if half < plain else "bfloat16 would be slower and is not used"
    print(
        f"A step of {min(_PATCHES, recipe.batch)} patches takes {half:.2f} s in bfloat16 and "
        f"{plain:.2f} s in float32: {verdict}.",
        flush=True,
    )
    return half < plain


def _seconds(model: Any, recipe: Recipe) -> float:
    """Seconds of the fastest step, the first one, which compiles, left out."""
    import tensorflow as tf

    count = min(_PATCHES, recipe.batch)
    inputs = tf.zeros((count, recipe.size, recipe.size, 3))

    @tf.function  # type: ignore[untyped-decorator]
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(model(inputs, training=True), tf.float32)[:, 0])
        return [tf.reduce_sum(g) for g in tape.gradient(loss, model.trainable_variables)]

    taken = []
    for _ in range(1 + _STEPS):
        started = time.perf_counter()
        np.asarray(step()[0])
        taken.append(time.perf_counter() - started)
    return min(taken[1:])
