"""A training recipe: every choice of a run in one frozen record. The defaults are the study's."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from her2core.training.augment import Augmentation


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        architecture: "cnn" or "densenet121".
        size: side of the training input in pixels; below 224 only for networks without a fixed
            input, as a cheap first stage.
        batch: patches a step.
        epochs: at most this many.
        steps_per_epoch: None: once over the training patches.
        learning_rate: Adam's.
        cosine: let the learning rate fall along a half cosine to 2 % of it.
        label_smoothing: share of the label spread over all classes.
        patience: epochs without a better validation loss before stopping.
        mixed_precision: compute in bfloat16, keep weights in float32.
        imagenet: start DenseNet121 from ImageNet weights.
        dropout: rate of the dropout layers.
        batch_norm_momentum: of the moving statistics; lower follows short runs from random
            weights, where the usual 0.99 lags behind.
        seed: of everything random.
        augmentation: ranges of the random changes.
    """

    architecture: str
    size: int = 224
    batch: int = 32
    epochs: int = 50
    steps_per_epoch: int | None = None
    learning_rate: float = 1e-3
    cosine: bool = False
    label_smoothing: float = 0.0
    patience: int = 10
    mixed_precision: bool = False
    imagenet: bool = True
    dropout: float = 0.5
    batch_norm_momentum: float = 0.99
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values, for run records and model cards."""
        return asdict(self)


class RecipeError(ValueError):
    """The recipe file is not usable; the message names the entry."""


def read_recipe(path: Path, architecture: str) -> Recipe:
    """Read a TOML file whose entries are fields of Recipe, with a table [augmentation].

    Raises:
        RecipeError: the file cannot be read, or an entry is unknown.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"The recipe {path} cannot be read: {error}.") from error
    changes = values.pop("augmentation", {})
    for given, record in ((values, Recipe), (changes, Augmentation)):
        unknown = set(given) - {entry.name for entry in fields(record)}
        if unknown:
            raise RecipeError(f"The recipe {path} has unknown entries: {', '.join(unknown)}.")
    if "brightness" in changes:
        changes["brightness"] = tuple(changes["brightness"])
    values.setdefault("architecture", architecture)
    return Recipe(**values, augmentation=Augmentation(**changes))
