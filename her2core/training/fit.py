"""Train one network by a recipe: tf.data batches in, best weights and a history on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from her2core.training.batches import Mixture, batches
from her2core.training.datasets import PatchSet
from her2core.training.recipe import Recipe


@dataclass(frozen=True)
class Run:
    """Files of a training run in its folder."""

    folder: Path

    @property
    def best(self) -> Path:
        """Weights of the epoch with the lowest validation loss."""
        return self.folder / "best.weights.h5"

    @property
    def history(self) -> Path:
        """One JSON object a line: epoch, losses and accuracies."""
        return self.folder / "history.jsonl"


def build(recipe: Recipe) -> Any:
    """Build the recipe's network with fresh (or ImageNet) weights, ready to compile."""
    import keras

    from her2core.models.cnn import build_cnn
    from her2core.models.densenet121 import build_densenet121

    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if recipe.mixed_precision else "float32")
    try:
        if recipe.architecture == "cnn":
            return build_cnn(recipe.dropout)
        start = "imagenet" if recipe.imagenet else None
        return build_densenet121(start, recipe.dropout, size=recipe.size)  # type: ignore[arg-type]
    finally:
        keras.config.set_dtype_policy("float32")


def fit(
    recipe: Recipe,
    mixture: Mixture,
    validation: PatchSet,
    folder: Path,
    start_weights: Path | None = None,
) -> Run:
    """Train and leave the best weights in `folder`; a killed run goes on at its last epoch.

    Args:
        recipe: every choice of the run.
        mixture: training sets with images of side `recipe.size`.
        validation: patches of side `recipe.size` that select the epoch; never in `mixture`.
        folder: where checkpoints, best weights and the history go.
        start_weights: weights of an earlier stage (any input size for DenseNet121).
    """
    import keras

    run = Run(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = build(recipe)
    if start_weights is not None:
        model.load_weights(start_weights)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = recipe.batch_norm_momentum
    total = sum(len(part) for part in mixture.sets)
    steps = recipe.steps_per_epoch or max(1, total // recipe.batch)
    rate: Any = recipe.learning_rate
    if recipe.cosine:
        rate = keras.optimizers.schedules.CosineDecay(rate, recipe.epochs * steps, alpha=0.02)
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,
    )
    done = _epochs_done(run)
    inputs = validation.images.astype(np.float32) / 255
    targets = np.eye(4, dtype=np.float32)[validation.labels]
    (folder / "recipe.json").write_text(json.dumps(recipe.as_dict(), indent=1), encoding="utf-8")
    model.fit(
        batches(mixture, recipe, done * steps),
        epochs=recipe.epochs,
        steps_per_epoch=steps,
        validation_data=(inputs, targets),
        validation_batch_size=recipe.batch,
        verbose=2,
        callbacks=[
            keras.callbacks.BackupAndRestore(folder / "backup"),
            keras.callbacks.ModelCheckpoint(
                run.best, monitor="val_loss", save_best_only=True, save_weights_only=True
            ),
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=recipe.patience),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda e, logs: _note(run, e, logs)),
        ],
    )
    return run


def _note(run: Run, epoch: int, logs: dict[str, float] | None) -> None:
    line = {"epoch": epoch, **{name: round(float(v), 5) for name, v in (logs or {}).items()}}
    with run.history.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(line) + "\n")


def _epochs_done(run: Run) -> int:
    if not run.history.is_file():
        return 0
    return sum(1 for _ in run.history.open(encoding="utf-8"))
