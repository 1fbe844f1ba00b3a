"""Does the input pipeline keep up with training? `python -m benchmarks.pipeline`.

Batches of 32 patches for the CNN, with the study's augmentation and without: the pipeline alone,
the training step alone (on a batch that is held in memory), and both together as in a real run.
What counts is the ratio: the pipeline must take a small part of the step's time, and training must
not become slower by it. The study's own generator, keras' ImageDataGenerator, is the plain way.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import Row, faster, medians, share, table
from her2core.training.data.augment import NO_AUGMENTATION, Augmentation
from her2core.training.data.batches import Mixture, batches
from her2core.training.data.datasets import PatchSet
from her2core.training.recipe import Recipe

# so many that the few batches prepared before the clock starts hardly count
PIPELINE_STEPS = 80
RESULTS = Path(__file__).with_name("pipeline.json")
AUGMENTATIONS = {
    "the study's augmentation": Augmentation(),
    "colour and stain as well": Augmentation(colour=0.08, stain=0.1),
    "no augmentation": NO_AUGMENTATION,
}


def some_patches(count: int = 256) -> PatchSet:
    """Coarse random textures: uint8 (count, 224, 224, 3), all four classes."""
    blocks = np.random.default_rng(0).integers(0, 256, (count, 28, 28, 3), dtype=np.uint8)
    images = blocks.repeat(8, axis=1).repeat(8, axis=2)
    return PatchSet(images, np.arange(count) % 4, tuple(map(str, range(count))))


def pipeline_turn(patches: PatchSet, recipe: Recipe, steps: int) -> Callable[[int], object]:
    """A turn that draws `steps` batches and does nothing with them."""
    feed = iter(batches(Mixture((patches,), (1.0,)), recipe))

    def turn(_: int) -> None:
        for _ in range(steps):
            next(feed)

    return turn


def training_step(recipe: Recipe) -> Callable[[Any, Any], Any]:
    """One compiled step of the study's CNN.

    At a rate that changes nothing: weights that fit one held batch perfectly would make the
    arithmetic itself slower (denormal numbers).
    """
    import keras
    import tensorflow as tf

    from her2core.training.fit import build
    from her2core.training.losses import recipe_loss

    model, loss = build(recipe), recipe_loss(recipe)
    optimizer = keras.optimizers.Adam(1e-9)
    optimizer.build(model.trainable_variables)

    @tf.function  # type: ignore[untyped-decorator]
    def step(pixels: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(loss(targets, model(pixels, training=True)))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
        return value

    return lambda pixels, targets: step(pixels, targets).numpy()


def generator_turn(patches: PatchSet, batch: int, steps: int) -> Callable[[int], object]:
    """The study's way: ImageDataGenerator, with its ranges, drawing from memory."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
        vertical_flip=True,
        brightness_range=(0.8, 1.2),
        rescale=1 / 255,
    )
    feed = generator.flow(patches.images, np.eye(4)[patches.labels], batch_size=batch)

    def turn(_: int) -> None:
        for _ in range(steps):
            next(feed)

    return turn


def rows(repeats: int, steps: int) -> Iterator[Row]:
    """Seconds per step of everything that is compared."""
    import tensorflow as tf

    patches = some_patches()
    study = Recipe("cnn")
    step = training_step(study)
    held = [tf.constant(part) for part in next(iter(batches(_mixture(patches), study)))]
    for name, augmentation in AUGMENTATIONS.items():
        recipe = replace(study, augmentation=augmentation)
        feed = iter(batches(_mixture(patches), recipe))
        alone, training, together = medians(
            [
                pipeline_turn(patches, recipe, PIPELINE_STEPS),
                lambda _: [step(*held) for _ in range(steps)],
                lambda _: [step(*next(feed)) for _ in range(steps)],  # noqa: B023
            ],
            repeats,
        )
        alone, training, together = alone / PIPELINE_STEPS, training / steps, together / steps
        print(
            f"{name}: pipeline {1 / alone:.1f} steps/s, training {1 / training:.2f}, "
            f"both {1 / together:.2f}",
            flush=True,
        )
        where = "training step of the CNN on a batch held in memory"
        yield share(f"pipeline alone, {name}", where, training, alone, 0.5)
        yield share(f"training fed by it, {name}", where, training, together, 1.15)
    ours, peer = medians(
        [
            pipeline_turn(patches, study, PIPELINE_STEPS),
            generator_turn(patches, study.batch, PIPELINE_STEPS // 20),
        ],
        repeats,
    )
    ours, peer = ours / PIPELINE_STEPS, peer / (PIPELINE_STEPS // 20)
    what = "keras ImageDataGenerator with the study's ranges"
    yield faster("pipeline, the study's augmentation", what, peer, ours, 2.0)


def _mixture(patches: PatchSet) -> Mixture:
    return Mixture((patches,), (1.0,))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the rows; 1 where a goal is missed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pipeline", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns of each way")
    parser.add_argument("--steps", type=int, default=4, help="training steps a turn")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file to write")
    args = parser.parse_args(arguments)
    if args.repeats < 1 or args.steps < 1:
        parser.error("at least one turn of one step is needed")
    load_before = round(os.getloadavg()[0], 2)
    found = list(rows(args.repeats, args.steps))

    import keras
    import tensorflow as tf

    facts = {
        "cores": os.cpu_count(),
        "load before": load_before,
        "batch": 32,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    print(table(found))
    text = json.dumps({"machine": facts, "rows": [asdict(row) for row in found]}, indent=2)
    args.out.write_text(text + "\n", encoding="utf-8")
    return 0 if all(row.holds is not False for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
