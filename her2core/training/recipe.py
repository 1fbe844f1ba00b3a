"""A training recipe: every choice of a run in one frozen record. The defaults are the study's.

docs/recipe.md holds the table of all entries; what goes beyond the study is off unless named.
"""

import sys
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import get_args

from her2core.common.refusal import RefusalError
from her2core.preprocessing.glass import WhiteBalance
from her2core.training.data.augment import Augmentation

HEAD_EPOCHS = 20
# keras seeds numpy's old generator too, which takes 32 bits
_MOST_SEED = 2**32 - 1


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
        imagenet: start DenseNet121 from ImageNet weights, unless other weights are given.
        dropout: rate of the dropout layers.
        batch_norm_momentum: of the moving statistics; lower follows short runs from random
            weights, where the usual 0.99 lags behind.
        seed: of everything random.
        balanced: draw the classes evenly, whatever their number of patches; off: each patch once
            in turn, shuffled anew each time.
        class_weights: weigh the loss of a class by the inverse of its share of the patches; with
            `balanced` off only, as both together would count rarity twice.
        ordinal: share in [0, 1] of the loss that is the expected squared distance in grades, the
            numerator of quadratic-weighted kappa; the rest is cross-entropy.
        mixup: parameter of the Beta distribution patches are mixed by (Zhang et al., ICLR 2018);
            0 mixes none, 0.2 is usual.
        frozen_epochs: DenseNet121: at most this many epochs on cached features of the frozen
            backbone before the fine-tuning. None: 20, or 0 where `imagenet` is off.
        fine_tune_blocks: DenseNet121: how many of the last dense blocks (1 to 4) the fine-tuning
            changes, with batch normalisation in inference mode; 5: all of them and the stem.
            None: 1 after frozen epochs, otherwise the whole network.
        fine_tune_rate: learning rate of the fine-tuning that follows frozen epochs.
        white_balance: how pictures are brought to one colour before the network, in training and
            ever after (her2core.preprocessing.glass); None: not at all.
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
    balanced: bool = True
    class_weights: bool = False
    ordinal: float = 0.0
    mixup: float = 0.0
    frozen_epochs: int | None = None
    fine_tune_blocks: int | None = None
    fine_tune_rate: float = 1e-4
    white_balance: WhiteBalance | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)

    @property
    def head_epochs(self) -> int:
        """Epochs of the head alone on the frozen backbone's features; 0 for none."""
        if self.architecture != "densenet121":
            return 0
        if self.frozen_epochs is None:
            return HEAD_EPOCHS if self.imagenet else 0
        return self.frozen_epochs

    @property
    def trained_blocks(self) -> int | None:
        """Dense blocks that the main phase changes; None: everything."""
        if self.architecture != "densenet121":
            return None
        if self.fine_tune_blocks is None:
            return 1 if self.head_epochs else None
        return self.fine_tune_blocks

    @property
    def main_rate(self) -> float:
        """Learning rate of the main phase."""
        return self.fine_tune_rate if self.head_epochs else self.learning_rate


class RecipeError(RefusalError, ValueError):
    """The recipe file is not usable; the message names the entry."""


def read_recipe(path: Path, architecture: str) -> Recipe:
    """Read a TOML file whose entries are fields of Recipe, with a table [augmentation].

    Raises:
        RecipeError: the file cannot be read, or an entry is unknown or out of range.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"The recipe {path} cannot be read: {error}.") from error
    changes = values.pop("augmentation", {})
    if not isinstance(changes, dict):
        raise RecipeError(f"The recipe {path} cannot be used: augmentation must be a table.")
    for given, record in ((values, Recipe), (changes, Augmentation)):
        unknown = set(given) - {entry.name for entry in fields(record)}
        if unknown:
            raise RecipeError(
                f"The recipe {path} has unknown entries: {', '.join(sorted(unknown))}."
            )
    if isinstance(changes.get("brightness"), list):
        changes["brightness"] = tuple(changes["brightness"])
    values.setdefault("architecture", architecture)
    recipe = Recipe(**values, augmentation=Augmentation(**changes))
    try:
        check(recipe)
    except RecipeError as error:
        raise RecipeError(f"The recipe {path} cannot be used: {error}") from None
    return recipe


def check(recipe: Recipe) -> None:
    """Refuse values that cannot be trained with.

    Raises:
        RecipeError: names the entry and what it may be.
    """
    whole = {"size": 32, "batch": 1, "epochs": 1, "patience": 1, "seed": 0}
    optional = {"steps_per_epoch": 1, "frozen_epochs": 0, "fine_tune_blocks": 1}
    for name, least in {**whole, **optional}.items():
        value = getattr(recipe, name)
        if value is None and name in optional:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise RecipeError(f"{name} must be a whole number, {least} or more.")
    if recipe.seed > _MOST_SEED:
        raise RecipeError(f"seed must be at most {_MOST_SEED}.")
    for name in ("learning_rate", "fine_tune_rate"):
        if not _number(getattr(recipe, name)) or getattr(recipe, name) <= 0:
            raise RecipeError(f"{name} must be a number above 0.")
    for name in ("label_smoothing", "ordinal", "mixup", "dropout", "batch_norm_momentum"):
        value = getattr(recipe, name)
        if not _number(value) or value < 0 or (name != "mixup" and value > 1):
            raise RecipeError(
                f"{name} must be a number from 0{'' if name == 'mixup' else ' to 1'}."
            )
    for name in ("cosine", "mixed_precision", "imagenet", "balanced", "class_weights"):
        if not isinstance(getattr(recipe, name), bool):
            raise RecipeError(f"{name} must be true or false.")
    if recipe.class_weights and recipe.balanced:
        raise RecipeError("class_weights needs balanced = false: both would count rarity twice.")
    if recipe.architecture == "cnn" and recipe.size != 224:
        raise RecipeError("size must be 224 for the CNN, whose layers fix it.")
    if recipe.fine_tune_blocks is not None and recipe.fine_tune_blocks > 5:
        raise RecipeError(
            "fine_tune_blocks must be 1 to 5: DenseNet121 has four dense blocks and a stem."
        )
    if recipe.white_balance not in (None, *get_args(WhiteBalance)):
        raise RecipeError(f"white_balance must be one of {', '.join(get_args(WhiteBalance))}.")
    _check_augmentation(recipe.augmentation)


def _check_augmentation(augmentation: Augmentation) -> None:
    for name in ("shift", "zoom", "colour", "stain"):
        value = getattr(augmentation, name)
        if not _number(value) or not 0 <= value < 1:
            raise RecipeError(f"augmentation.{name} must be a number from 0 to below 1.")
    if not _number(augmentation.microscopes) or not 0 <= augmentation.microscopes <= 1:
        raise RecipeError("augmentation.microscopes must be a number from 0 to 1.")
    if not _number(augmentation.rotation) or not 0 <= augmentation.rotation <= 180:
        raise RecipeError("augmentation.rotation must be a number of degrees from 0 to 180.")
    if not _number(augmentation.shear) or augmentation.shear < 0:
        raise RecipeError("augmentation.shear must be a number from 0.")
    if not isinstance(augmentation.flips, bool):
        raise RecipeError("augmentation.flips must be true or false.")
    factors = augmentation.brightness
    two = isinstance(factors, tuple) and len(factors) == 2 and all(map(_number, factors))
    if not two or not 0 < factors[0] <= factors[1]:
        raise RecipeError(
            "augmentation.brightness must be two numbers above 0, the smaller one first."
        )


def _number(value: object) -> bool:
    """Whether it is a number that arithmetic can go on with: no nan, and within a float's range."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max
