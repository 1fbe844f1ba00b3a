"""Which switches beyond the study's recipe help? `python -m benchmarks.recipe_switches`.

Trains the CNN once per switch and seed on one synthetic set, everything else alike, and measures
each on fresh patches from a generator with other parameters. Class 0 has a quarter of the others'
training patches, so that class weights and even drawing have something to do. A switch is worth
being a default only where it is better than the study's recipe for every seed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.metrics import f1_score

from her2core.evaluation.agreement import quadratic_kappa
from her2core.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    tempered,
)
from her2core.training.data.augment import Augmentation
from her2core.training.data.batches import Mixture
from her2core.training.data.datasets import PatchSet, load_patches
from her2core.training.data.layouts import read_layout
from her2core.training.fit import build, fit
from her2core.training.recipe import Recipe
from training.switch_table import BASE, switch_lines

RESULTS = Path(__file__).with_name("recipe_switches.json")


@dataclass(frozen=True)
class Row:
    """One training.

    Attributes:
        switch: what differs from the study's recipe.
        seed: of the training.
        validation_loss: of the best epoch, in the recipe's own loss.
        kappa: quadratic-weighted, on the test patches.
        macro_f1: on the test patches.
        calibration_error: on the test patches, before temperature.
        calibration_error_tempered: with the temperature fitted on the validation patches.
        seconds: the training took.
        n: test patches.
    """

    switch: str
    seed: int
    validation_loss: float
    kappa: float
    macro_f1: float
    calibration_error: float
    calibration_error_tempered: float
    seconds: float
    n: int


def switches(base: Recipe) -> dict[str, Recipe]:
    """The recipes to compare, by name."""
    wide = base.augmentation
    return {
        BASE: base,
        "cosine": replace(base, cosine=True),
        "label_smoothing = 0.05": replace(base, label_smoothing=0.05),
        "ordinal = 0.5": replace(base, ordinal=0.5),
        "mixup = 0.2": replace(base, mixup=0.2),
        "stain = 0.1": replace(base, augmentation=replace(wide, stain=0.1)),
        "colour = 0.08": replace(base, augmentation=replace(wide, colour=0.08)),
        "balanced = false": replace(base, balanced=False),
        "balanced = false, class_weights": replace(base, balanced=False, class_weights=True),
        "no augmentation": replace(
            base, augmentation=Augmentation(0.0, 0.0, 0.0, 0.0, False, (1.0, 1.0))
        ),
    }


def make_sets(work: Path, per_class: int) -> dict[str, PatchSet]:
    """Training, validation and test patches; made once, kept in `work`."""
    from training import make_synthetic

    wanted = {
        "train": ("31", per_class, "1.0"),
        "validation": ("32", max(2, per_class // 4), "1.0"),
        "test": ("33", max(2, per_class // 2), "1.4"),
    }
    found = {}
    for name, (seed, count, variety) in wanted.items():
        out = work / f"{name}-{per_class}"
        if not (out / "truth.csv").is_file():
            arguments = ["--out", str(out), "--per-class", str(count), "--seed", seed]
            if make_synthetic.main([*arguments, "--variety", variety]) != 0:
                raise SystemExit(f"{out} could not be made.")
        found[name] = load_patches(read_layout(out).files)
    return {**found, "train": _skewed(found["train"])}


def _skewed(patches: PatchSet) -> PatchSet:
    zeros = np.flatnonzero(patches.labels == 0)
    kept = np.sort(
        np.concatenate([zeros[: max(1, len(zeros) // 4)], np.flatnonzero(patches.labels)])
    )
    groups = tuple(patches.groups[row] for row in kept.tolist())
    return PatchSet(patches.images[kept], patches.labels[kept], groups)


def train_and_measure(name: str, recipe: Recipe, sets: dict[str, PatchSet], run: Path) -> Row:
    """Train by one recipe and measure its best weights."""
    from training.make_bundle import _logits

    started = time.perf_counter()
    done = fit(recipe, Mixture((sets["train"],), (1.0,)), sets["validation"], run)
    seconds = time.perf_counter() - started
    model = build(recipe)
    model.load_weights(done.best)
    logits = {part: _logits(model, sets[part].images) for part in ("validation", "test")}
    labels = sets["test"].labels
    temperature = fit_temperature(logits["validation"], sets["validation"].labels)
    confusion = np.zeros((4, 4))
    np.add.at(confusion, (labels, logits["test"].argmax(axis=1)), 1)
    plain, fitted = tempered(logits["test"], 1.0), tempered(logits["test"], temperature)
    history = [json.loads(line) for line in done.history.read_text().splitlines()]
    return Row(
        name,
        recipe.seed,
        min(record["val_loss"] for record in history),
        float(quadratic_kappa(confusion)),
        float(f1_score(labels, logits["test"].argmax(axis=1), average="macro")),
        expected_calibration_error(plain, labels),
        expected_calibration_error(fitted, labels),
        round(seconds, 1),
        len(labels),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all, print the table, write the rows after each training."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recipe_switches", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for sets and runs")
    parser.add_argument("--per-class", type=int, default=400, help="training patches of a class")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--steps", type=int, default=25, help="steps an epoch, of 32 patches")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--bfloat16", action="store_true", help="compute in bfloat16: half the time, all alike"
    )
    parser.add_argument("--only", default="", help="names of switches, joined by semicolons")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file to write")
    args = parser.parse_args(arguments)
    sets = make_sets(args.work, args.per_class)
    base = Recipe(
        "cnn",
        epochs=args.epochs,
        steps_per_epoch=args.steps,
        patience=args.epochs,
        mixed_precision=args.bfloat16,
    )
    names = [name for name in args.only.split(";") if name] or list(switches(base))
    rows: list[Row] = []
    for seed in range(args.seeds):
        for name, recipe in switches(replace(base, seed=seed)).items():
            if name in names:
                slug = "".join(c if c.isalnum() else "-" for c in name)
                run = args.work / f"run-{args.per_class}-{args.epochs}-{args.steps}-{slug}-{seed}"
                rows.append(train_and_measure(name, recipe, sets, run))
                (run / "state.safetensors").unlink()  # 230 MB each; the measuring is done
                args.out.write_text(_json(args, rows), encoding="utf-8")
                print("\n".join(switch_lines(args.out)), flush=True)
    return 0


def _json(args: argparse.Namespace, rows: Sequence[Row]) -> str:
    setting = {
        "patches per class": args.per_class,
        "epochs": args.epochs,
        "steps an epoch": args.steps,
        "bfloat16": args.bfloat16,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    return json.dumps({"setting": setting, "rows": [asdict(row) for row in rows]}, indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main())
