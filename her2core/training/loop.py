"""One phase of training: epochs of steps, validation, early stopping, checkpoints.

Written out rather than left to `Model.fit` for two reasons: a stopped phase must go on with
everything it had, the patience already spent included, and several machines must be able to train
together (see `her2core.training.machines`).
"""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from her2core.common.files import write_atomically
from her2core.common.refusal import RefusalError
from her2core.training.checkpoint import CheckpointError, Progress, load_state, save_state
from her2core.training.data.batches import Mixture
from her2core.training.losses import class_weights, recipe_loss
from her2core.training.machines import Machines
from her2core.training.progress import progress_bar
from her2core.training.recipe import Recipe

STATE_FILE = "state.safetensors"
BEST_FILE = "best.weights.h5"
HISTORY_FILE = "history.jsonl"


class TrainingError(RefusalError, RuntimeError):
    """Training cannot go on; str(error) is one sentence."""


@dataclass(frozen=True)
class Phase:
    """What a phase is made of.

    Attributes:
        model: keras.Model with softmax outputs (n, 4); what is not trainable stays as it is.
        recipe: loss, batch, patience, seed and steps.
        mixture: what is trained on.
        epochs: at most so many.
        rate: learning rate.
        folder: where state, best weights and history go.
        feed: tf.data.Dataset of batches from a step on; with several machines, of this one's rows.
        validation: inputs (uint8 pictures or float32 features) and labels.
        keep_start: the weights that are started from stay the best until an epoch beats them.
    """

    model: Any
    recipe: Recipe
    mixture: Mixture
    epochs: int
    rate: float
    folder: Path
    feed: Callable[[int], Any]
    validation: tuple[npt.NDArray[Any], npt.NDArray[np.int64]]
    keep_start: bool

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.recipe.steps_per_epoch or max(1, len(self.mixture) // self.recipe.batch)


def run_phase(phase: Phase, machines: Machines, before: Progress | None = None) -> Progress:
    """Train until the epochs are done or the patience is spent; go on where a state lies.

    Args:
        phase: what to train with what.
        machines: who trains.
        before: of the phase before this one, whose best loss is to be beaten. Where there was
            none, and the weights started from are to be kept if nothing beats them, they are
            measured first and count as epoch 0.

    Raises:
        OSError: the folder cannot be written to.
        CheckpointError: a state lies there that cannot be used.
        TrainingError: the loss is no longer a number.
    """
    recipe, steps = phase.recipe, phase.steps
    optimizer = _optimizer(phase, machines)
    step, answer = _step(phase, optimizer, machines), _answer(phase.model)
    progress = _resumed(phase, optimizer, machines, before)
    if progress is None:
        loss = _validate(phase, answer, machines)["val_loss"]
        progress = Progress(best=loss, start=loss)
        save_weights(phase.model, phase.folder / BEST_FILE)
        print(f"epoch 0, the weights started from: validation loss {loss:.4f}", flush=True)
    feed: Iterator[Any] | None = None
    while not progress.ended(phase.epochs, recipe.patience):
        if feed is None:
            first = progress.epochs * steps
            feed = iter(
                machines.strategy.distribute_datasets_from_function(
                    lambda _: phase.feed(first)  # noqa: B023
                )
            )
        started = time.monotonic()
        _seed_dropout(phase.model, [recipe.seed, progress.epochs, machines.number])
        total = np.zeros(2)
        with progress_bar(f"epoch {progress.epochs + 1}/{phase.epochs}", "steps") as on_progress:
            for number in range(1, steps + 1):
                total = total + step(feed)
                on_progress(number, steps, f"loss {total[0] / (number * recipe.batch):.3f}")
        loss, accuracy = np.asarray(total, np.float64) / (steps * recipe.batch)
        _share_statistics(phase.model, machines)
        rate = _current_rate(optimizer)
        record = {"accuracy": accuracy, "loss": loss, "learning_rate": rate}
        record |= _validate(phase, answer, machines)
        if not np.isfinite(list(record.values())).all():
            raise TrainingError("The loss is no longer a number; lower the learning rate.")
        progress = progress.after({name: float(value) for name, value in record.items()})
        if progress.improved:
            save_weights(phase.model, phase.folder / BEST_FILE)
        save_state(phase.folder / STATE_FILE, phase.model, optimizer, progress)
        _write_history(phase.folder, progress)
        _tell(progress, phase.epochs, time.monotonic() - started)
    return progress


def save_weights(model: Any, path: Path) -> None:
    """Put the weights in place at once, so that a kill leaves the old file or the new one.

    Raises:
        OSError: the file cannot be written.
    """
    partial = path.with_name(f"partial-{path.name}")
    # HDF5 survives a disk that fills up, but not without complaints of its own: ask before
    if shutil.disk_usage(path.parent).free < 4.2 * model.count_params() + (1 << 20):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    try:
        model.save_weights(partial)
        partial.replace(path)
    except RuntimeError as error:  # how HDF5 reports a disk that fills up while a file is closed
        raise OSError(None, "writing the weights failed; is the disk full?", str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def _optimizer(phase: Phase, machines: Machines) -> Any:
    """Adam, built for what the phase trains."""
    import keras

    schedule: Any = phase.rate
    if phase.recipe.cosine:
        steps = phase.epochs * phase.steps
        schedule = keras.optimizers.schedules.CosineDecay(phase.rate, steps, alpha=0.02)
    with machines.strategy.scope():
        optimizer = keras.optimizers.Adam(schedule)
        optimizer.build(phase.model.trainable_variables)
    return optimizer


def _resumed(
    phase: Phase, optimizer: Any, machines: Machines, before: Progress | None
) -> Progress | None:
    """Where the phase goes on or begins; None where the weights started from are to be measured."""
    phase.folder.mkdir(parents=True, exist_ok=True)
    state = phase.folder / STATE_FILE
    progress = None
    if state.is_file():
        progress = load_state(state, phase.model, optimizer)
    epochs = 0 if progress is None else progress.epochs
    if machines.sums([epochs])[0] / machines.count != epochs:
        raise CheckpointError(
            "The machines stopped at different epochs; copy the first one's run folder over the "
            "others' and start again."
        )
    if progress is None and before is not None:
        return Progress(best=before.best, start=before.start)
    return progress if progress is not None or phase.keep_start else Progress()


def _step(phase: Phase, optimizer: Any, machines: Machines) -> Callable[[Any], Any]:
    """One compiled step over all machines: (summed loss, right answers) of the batch."""
    import tensorflow as tf

    model, recipe = phase.model, phase.recipe
    weights = class_weights(phase.mixture.counts()) if recipe.class_weights else None
    loss = recipe_loss(recipe, weights)

    def on_replica(inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            probabilities = model(inputs, training=True)
            summed = tf.reduce_sum(loss(targets, probabilities))
            mean = summed / recipe.batch  # gradients of all replicas are added up
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(mean, variables), variables, strict=True))
        right = tf.equal(tf.argmax(probabilities, 1), tf.argmax(targets, 1))
        return tf.stack([summed, tf.reduce_sum(tf.cast(right, tf.float32))])

    @tf.function  # type: ignore[untyped-decorator]
    def step(feed: Any) -> Any:
        each = machines.strategy.run(on_replica, args=next(feed))
        return machines.strategy.reduce(tf.distribute.ReduceOp.SUM, each, axis=None)

    return lambda feed: step(feed).numpy()


def _answer(model: Any) -> Callable[[Any], Any]:
    """Compiled probabilities of a batch; pictures come as uint8 and are scaled to [0, 1]."""
    import tensorflow as tf

    shape = [None, *model.inputs[0].shape[1:]]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])  # type: ignore[untyped-decorator]
    def answer(inputs: Any) -> Any:
        return model(inputs, training=False)

    return lambda values: answer(
        values.astype(np.float32) / 255 if values.dtype == np.uint8 else values
    )


def _validate(phase: Phase, answer: Callable[[Any], Any], machines: Machines) -> dict[str, float]:
    """Mean loss and accuracy; the machines share the batches in turn."""
    inputs, labels = phase.validation
    loss_of = recipe_loss(phase.recipe)
    each = max(1, phase.recipe.batch // machines.count)
    sums = np.zeros(3)
    for start in range(machines.number * each, len(labels), machines.count * each):
        part = labels[start : start + each]
        probabilities = answer(inputs[start : start + each])
        loss = np.asarray(loss_of(np.eye(4, dtype=np.float32)[part], probabilities))
        right = np.asarray(probabilities).argmax(axis=1) == part
        sums += [loss.sum(dtype=np.float64), right.sum(), len(part)]
    loss_sum, right_sum, count = machines.sums(sums)
    return {"val_accuracy": right_sum / count, "val_loss": loss_sum / count}


def _share_statistics(model: Any, machines: Machines) -> None:
    """Average batch normalisation's moving statistics, which each machine gathers for itself."""
    import tensorflow as tf

    if machines.count == 1:
        return
    for weight in model.non_trainable_weights:
        if "moving_" in weight.path:
            each = machines.strategy.run(lambda w: tf.identity(w.value), args=(weight,))
            weight.assign(machines.strategy.reduce(tf.distribute.ReduceOp.MEAN, each, axis=None))


def _seed_dropout(model: Any, seed: list[int]) -> None:
    """Set every random layer's generator by epoch and machine, whatever was drawn before."""
    layers = [layer for layer in model.layers if hasattr(layer, "seed_generator")]
    for place, layer in enumerate(layers):
        drawn = np.random.default_rng([*seed, place]).integers(0, 1 << 31, 2)
        state = layer.seed_generator.state
        state.assign(drawn.astype(state.dtype))


def _current_rate(optimizer: Any) -> float:
    rate = optimizer.learning_rate
    return float(rate.value.numpy() if hasattr(rate, "path") else rate)


def _write_history(folder: Path, progress: Progress) -> None:
    lines = [
        {name: value if name == "epoch" else round(value, 7) for name, value in record.items()}
        for record in progress.history
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    write_atomically(folder / HISTORY_FILE, text.encode())


def _tell(progress: Progress, epochs: int, seconds: float) -> None:
    last = progress.history[-1]
    best = ", best so far" if progress.improved else ""
    print(
        f"epoch {progress.epochs}/{epochs}: loss {last['loss']:.4f}, "
        f"accuracy {last['accuracy']:.3f}, validation loss {last['val_loss']:.4f}, "
        f"accuracy {last['val_accuracy']:.3f} ({seconds:.0f} s{best})",
        flush=True,
    )
