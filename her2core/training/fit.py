"""Train one network by a recipe: tf.data batches in, best weights and a history on disk."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from her2core.common.files import write_atomically
from her2core.training.checkpoint import CheckpointError, Progress, load_weights
from her2core.training.data.batches import Mixture, batches
from her2core.training.data.datasets import PatchSet
from her2core.training.frozen import feature_batches, head_of, keep_features, train_only_blocks
from her2core.training.loop import (
    BEST_FILE,
    STATE_FILE,
    Phase,
    run_phase,
    save_weights,
)
from her2core.training.machines import Machines, this_machine
from her2core.training.precision import faster_in_bfloat16
from her2core.training.progress import progress_bar
from her2core.training.recipe import Recipe, check
from her2core.training.start import identity, load_start

RECIPE_FILE = "recipe.json"
PRECISION_FILE = "precision.json"
KEPT_START = "No epoch was better on validation than the weights that were started from: these stay"
# what may differ when a run goes on: how long it goes on
_MAY_CHANGE = {"epochs", "patience"}


@dataclass(frozen=True)
class Run:
    """Files of a training run in its folder."""

    folder: Path

    @property
    def best(self) -> Path:
        """Weights of the epoch with the lowest validation loss."""
        return self.folder / BEST_FILE

    @property
    def state(self) -> Path:
        """What a stopped run goes on from."""
        return self.folder / STATE_FILE

    @property
    def head(self) -> Path:
        """Folder of the head's phase on frozen features."""
        return self.folder / "head"

    @property
    def started(self) -> bool:
        """Whether the folder holds a run with at least one finished epoch."""
        return self.state.is_file() or (self.head / STATE_FILE).is_file()

    def of_machine(self, machines: Machines) -> Run:
        """Where a machine keeps its files: the first in the folder itself, others below it."""
        own = f"machine-{machines.number}"
        return self if machines.number == 0 else Run(self.folder / own)


def build(recipe: Recipe, start_weights: Path | None = None) -> Any:
    """Build the recipe's network with fresh, ImageNet or given weights.

    Raises:
        BundleError: the bundle to start from is damaged or another network's.
        CheckpointError: the given weights cannot be read or are another network's.
        WeightsUnavailableError: ImageNet weights are wanted and cannot be had.
    """
    import keras

    from her2core.models.architectures import ARCHITECTURES, keras_model

    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if recipe.mixed_precision else "float32")
    try:
        network = ARCHITECTURES[recipe.architecture]
        model = keras_model.build(
            network,
            dropout=recipe.dropout,
            size=recipe.size,
            imagenet=bool(network.imagenet) and recipe.imagenet and start_weights is None,
        )
    finally:
        keras.config.set_dtype_policy("float32")
    if start_weights is not None:
        load_start(model, start_weights, recipe.architecture)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = recipe.batch_norm_momentum
    return model


def fit(
    recipe: Recipe,
    mixture: Mixture,
    validation: PatchSet,
    folder: Path,
    start_weights: Path | None = None,
    machines: Machines | None = None,
) -> Run:
    """Train and leave the best weights in `folder`; a stopped run goes on at its last epoch.

    The end is the same whether a run was stopped or not: batches and dropout depend on the seed,
    epoch and step only, and everything else is in the checkpoint.

    Args:
        recipe: every choice of the run.
        mixture: training sets with images of side `recipe.size`.
        validation: patches of side `recipe.size` that select the epoch; never in `mixture`.
        folder: where checkpoints, best weights and the history go.
        start_weights: file of an earlier stage's weights, or a bundle's folder (any input size for
            DenseNet121); a run goes on with the same ones only.
        machines: who trains; by default as TF_CONFIG says.

    Raises:
        BundleError: the bundle to start from is damaged or another network's.
        CheckpointError: the folder holds a run with another recipe, or a damaged one; or the
            start weights do not fit.
        DatasetError: a class has no training patch.
        OSError: the folder cannot be written to.
        RecipeError: the recipe cannot be trained with.
        TrainingError: the loss is no longer a number.
        WeightsUnavailableError: ImageNet weights are wanted and cannot be had.
    """
    check(recipe)
    mixture.by_class()
    validation = validation.prepared(recipe.white_balance)
    machines = machines or this_machine()
    machines.rows(recipe.batch)
    run = Run(folder).of_machine(machines)
    _record(recipe, run, identity(start_weights))
    if recipe.mixed_precision:
        recipe = replace(recipe, mixed_precision=_bfloat16(recipe, run, machines))
    with machines.strategy.scope():
        # once the whole network has a state, whatever it starts from is overwritten by it
        resumed = replace(recipe, imagenet=False) if run.state.is_file() else recipe
        model = build(resumed, None if run.state.is_file() else start_weights)
    keep = start_weights is not None
    head = None
    if recipe.head_epochs and not run.state.is_file():
        head = _train_head(recipe, model, mixture, validation, run, machines, keep)
    train_only_blocks(model, recipe.trained_blocks)
    rows = machines.rows(recipe.batch)
    phase = Phase(
        model,
        recipe,
        mixture,
        recipe.epochs,
        recipe.main_rate,
        run.folder,
        lambda first: batches(mixture, recipe, first, rows),
        (validation.images, validation.labels),
        keep,
    )
    progress = run_phase(phase, machines, head)
    if progress.kept_start:
        print(f"{KEPT_START}.", flush=True)
    return run


def _train_head(
    recipe: Recipe,
    model: Any,
    mixture: Mixture,
    validation: PatchSet,
    run: Run,
    machines: Machines,
    keep_start: bool,
) -> Progress:
    """Train the head on cached features, leave it in `model`."""
    cache = run.folder / "features"
    sets = [part.prepared(recipe.white_balance) for part in mixture.sets]
    *learnt, checked = (_features(cache, model, part) for part in (*sets, validation))
    rows = machines.rows(recipe.batch)
    with machines.strategy.scope():
        head = head_of(model)
    phase = Phase(
        head,
        recipe,
        mixture,
        recipe.head_epochs,
        recipe.learning_rate,
        run.head,
        lambda first: feature_batches(mixture, learnt, recipe, first, rows),
        (checked, validation.labels),
        keep_start,
    )
    progress = run_phase(phase, machines)
    load_weights(head, run.head / BEST_FILE)
    save_weights(model, run.best)
    return progress


def _features(folder: Path, model: Any, patches: PatchSet) -> npt.NDArray[np.float32]:
    with progress_bar("features", "patches") as on_progress:
        return keep_features(folder, model, patches.images, on_progress)


def _bfloat16(recipe: Recipe, run: Run, machines: Machines) -> bool:
    """Whether to compute in bfloat16; a run that goes on does as it began."""
    path = run.folder / PRECISION_FILE
    if run.started and path.is_file():
        return bool(json.loads(path.read_text(encoding="utf-8"))["bfloat16"])
    faster = machines.sums([faster_in_bfloat16(recipe, build)])[0] > machines.count / 2
    write_atomically(path, json.dumps({"bfloat16": bool(faster)}).encode())
    return bool(faster)


def _record(recipe: Recipe, run: Run, start: str) -> None:
    """Write the recipe and what is started from beside the run; refuse to go on by another one.

    Raises:
        CheckpointError: names the first entry that differs.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    path = run.folder / RECIPE_FILE
    wanted = json.loads(json.dumps(asdict(recipe) | {"start": start}))
    if run.started:
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = {}
        for name, value in wanted.items():
            if name not in _MAY_CHANGE and before.get(name, value) != value:
                what = "from other weights" if name == "start" else f"with another {name}"
                raise CheckpointError(
                    f"The run in {run.folder} was started {what}; use the same recipe and --start, "
                    "or another run folder."
                )
    write_atomically(path, json.dumps(wanted, indent=1).encode())
