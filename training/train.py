"""Train one network on class folders; a killed run goes on where it stopped.

    python -m training.train --arch densenet121 --data DIR[=SHARE],DIR[=SHARE] --validation DIR \\
        --config recipe.toml --run FOLDER [--start weights.h5]

Several folders are mixed: each gives its share of every batch (evenly where none is named). The
best weights, by validation loss, are FOLDER/best.weights.h5; training.make_bundle makes a model
bundle of them.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tqdm import tqdm

from her2core.models.densenet121 import WeightsUnavailableError
from her2core.training.batches import Mixture
from her2core.training.datasets import (
    DatasetError,
    PatchSet,
    list_class_folders,
    load_patches,
)
from her2core.training.fit import fit
from her2core.training.recipe import Recipe, RecipeError, read_recipe


def _load(folder: Path, size: int) -> PatchSet:
    files = list_class_folders(folder)
    bar = tqdm(total=len(files), desc=f"reading {folder.name}", unit="patch")
    patches = load_patches(files, size, progress=lambda done, total: bar.update(1) and None)
    bar.close()
    return patches


def _mixture(text: str, size: int) -> Mixture:
    parts = [part.partition("=") for part in text.split(",") if part]
    sets = tuple(_load(Path(name), size) for name, _, _ in parts)
    weights = [float(share) if share else 1.0 for _, _, share in parts]
    return Mixture(sets, tuple(weight / sum(weights) for weight in weights))


def _check_groups(mixture: Mixture, validation: PatchSet) -> None:
    """Refuse groups that stand on both sides; say it loudly where there are no groups."""
    train = {group for part in mixture.sets for group in part.groups}
    shared = (train & set(validation.groups)) - {""}
    if shared:
        raise DatasetError(
            f"{len(shared)} groups are both in training and validation, e.g. '{min(shared)}'. "
            "Split by patient, slide or core."
        )
    if "" in train | set(validation.groups):
        print(
            "WARNING: some patches have no group (patient, slide, core): the validation figures "
            "may be far too good.",
            file=sys.stderr,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--arch", required=True, choices=("cnn", "densenet121"))
    parser.add_argument("--data", required=True, help="DIR[=SHARE] joined by commas")
    parser.add_argument("--validation", required=True, type=Path, help="class folders")
    parser.add_argument("--config", type=Path, help="recipe TOML; the study's recipe without one")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--start", type=Path, help="weights of an earlier stage")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns 0 when training ended, 1 otherwise."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    args = _parser().parse_args(arguments)
    try:
        recipe = read_recipe(args.config, args.arch) if args.config else Recipe(args.arch)
        if args.start is not None and not args.start.is_file():
            raise RecipeError(f"There is no file {args.start}.")
        validation = _load(args.validation, recipe.size)
        mixture = _mixture(args.data, recipe.size)
        _check_groups(mixture, validation)
        run = fit(recipe, mixture, validation, args.run, args.start)
    except (DatasetError, RecipeError, WeightsUnavailableError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Could not write the run: {error.strerror} ({error.filename}).", file=sys.stderr)
        return 1
    print(f"Best weights: {run.best}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
