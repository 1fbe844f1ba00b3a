"""Endless, seeded batches from one or more sets, fed to Keras by tf.data.

A batch depends on the seed and the step only, and each of its rows on its own number too: a run
that was stopped goes on with the very batches it would have had, and several machines can each
prepare their rows of one batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from her2core.preprocessing.glass import prepared
from her2core.training.data.augment import augment
from her2core.training.data.datasets import DatasetError, PatchSet
from her2core.training.recipe import Recipe

_MIXUP = 1 << 20  # keeps the random numbers of mixing apart from those of the rows
_ORDER = 1 << 21

Index = Sequence[Sequence[npt.NDArray[np.int64]]]
# inputs and targets
Drawn = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Mixture:
    """Training sets and the share of each batch that comes from each."""

    sets: tuple[PatchSet, ...]
    shares: tuple[float, ...]

    def __len__(self) -> int:
        return sum(len(part) for part in self.sets)

    def counts(self) -> npt.NDArray[np.int64]:
        """Patches of each class over all sets: int64 (4,)."""
        labels = np.concatenate([part.labels for part in self.sets])
        return np.asarray(np.bincount(labels, minlength=4))

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


@dataclass(frozen=True)
class Slice:
    """Which of `count` equal slices of each batch is prepared here: slices `first` up to `last`."""

    first: int
    last: int
    count: int


def choose(mixture: Mixture, index: Index, recipe: Recipe, step: int) -> list[tuple[int, int]]:
    """Which patches make up the batch of a step: (set, index within it) of each row."""
    rng = np.random.default_rng([recipe.seed, step])
    if not recipe.balanced:
        return _in_turn(mixture, recipe, step, rng)
    rows = []
    for _ in range(recipe.batch):
        wanted = int(rng.integers(4))
        source = int(rng.choice(len(mixture.sets), p=mixture.shares))
        if len(index[source][wanted]) == 0:
            source = next(s for s in range(len(index)) if len(index[s][wanted]))
        rows.append((source, int(rng.choice(index[source][wanted]))))
    return rows


def _in_turn(
    mixture: Mixture, recipe: Recipe, step: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """One set: every patch once, then all in another order. Several: drawn by their shares."""
    if len(mixture.sets) > 1:
        sources = rng.choice(len(mixture.sets), recipe.batch, p=mixture.shares)
        return [(int(s), int(rng.integers(len(mixture.sets[s])))) for s in sources]
    count = len(mixture.sets[0])
    places = step * recipe.batch + np.arange(recipe.batch)
    orders = {
        turn: np.random.default_rng([recipe.seed, _ORDER, turn]).permutation(count)
        for turn in set((places // count).tolist())
    }
    return [(0, int(orders[place // count][place % count])) for place in places.tolist()]


def draw_batch(
    mixture: Mixture, index: Index, recipe: Recipe, step: int, part: tuple[int, int] = (0, 1)
) -> Drawn:
    """The batch of a step, or one slice of it.

    Args:
        mixture: training sets.
        index: `mixture.by_class()`.
        recipe: batch, size, seed, augmentation and mixup.
        step: number of the step over the whole run.
        part: (i, k): the i-th of k equal slices.

    Returns:
        float32 (rows, size, size, 3) in [0, 1] and targets float32 (rows, 4), one-hot unless mixed.
    """
    which, count = part
    each = recipe.batch // count
    first = which * each
    chosen = choose(mixture, index, recipe, step)[first : first + each]
    pixels = np.empty((each, recipe.size, recipe.size, 3), np.float32)
    targets = np.zeros((each, 4), np.float32)
    for row, (source, patch) in enumerate(chosen):
        rng = np.random.default_rng([recipe.seed, step, first + row])
        changed = augment(mixture.sets[source].images[patch], recipe.augmentation, rng)
        pixels[row] = _prepared(changed, recipe)
        targets[row, mixture.sets[source].labels[patch]] = 1.0
    if recipe.mixup > 0:
        rng = np.random.default_rng([recipe.seed, step, _MIXUP])
        drawn = rng.beta(recipe.mixup, recipe.mixup, recipe.batch // 2).astype(np.float32)
        kept = drawn[first // 2 : first // 2 + each // 2]
        _mix(pixels, kept)
        _mix(targets, kept)
    return pixels, targets


def _prepared(picture: npt.NDArray[np.float32], recipe: Recipe) -> npt.NDArray[np.float32]:
    """A changed picture as the network will see others: after the recipe's white balance."""
    if recipe.white_balance is None:
        return picture
    stored = np.round(picture * 255).astype(np.uint8)
    return prepared(stored, recipe.white_balance).astype(np.float32) / np.float32(255)


def _mix(values: npt.NDArray[np.float32], kept: npt.NDArray[np.float32]) -> None:
    """Mix each pair of neighbouring rows, in place: rows come in random order already."""
    pairs = len(kept)
    first, second = values[0 : 2 * pairs : 2], values[1 : 2 * pairs : 2]
    share = kept.reshape(-1, *[1] * (values.ndim - 1))
    both = first * share + second * (1 - share)
    second *= share
    second += first * (1 - share)
    first[:] = both


def batches(mixture: Mixture, recipe: Recipe, first_step: int, rows: Slice) -> Any:
    """A tf.data.Dataset of this machine's slices of the batches from `first_step` on."""
    index = mixture.by_class()
    shape = (recipe.batch // rows.count, recipe.size, recipe.size, 3)

    def draw(step: int, which: int) -> Drawn:
        return draw_batch(mixture, index, recipe, step, (which, rows.count))

    return stream(draw, shape, rows, first_step)


def stream(
    draw: Callable[[int, int], Drawn], shape: tuple[int, ...], rows: Slice, first_step: int
) -> Any:
    """A tf.data.Dataset of slices of batches, drawn beside the training step.

    Args:
        draw: inputs and targets (n, 4), both float32, of a step and the number of a slice.
        shape: of the inputs.
        rows: which slices of each batch; they come one after the other.
        first_step: where it begins.
    """
    import tensorflow as tf

    local = rows.last - rows.first

    def drawn(number: Any) -> Drawn:
        step, which = divmod(int(number), local)
        return draw(step, rows.first + which)

    def as_tensors(number: Any) -> Any:
        inputs, targets = tf.numpy_function(drawn, [number], [tf.float32, tf.float32])
        inputs.set_shape(shape)
        targets.set_shape((shape[0], 4))
        return inputs, targets

    numbers = tf.data.Dataset.range(first_step * local, 1 << 40)
    return numbers.map(as_tensors, num_parallel_calls=2, deterministic=True).prefetch(2)
