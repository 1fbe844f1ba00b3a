"""A folder of patches: how fast it is scored.

`training.score` decodes, checks and writes; the bare loops it is compared with do nothing but run
the networks on pixels made before. The patches are the shipped synthetic samples, each turned and
tinted otherwise, so that all files differ and none is known from before.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.rows import Row, rate
from her2core.models.architectures import ARCHITECTURES
from her2core.models.backends.choose import open_reader
from her2core.models.bundles.bundle_files import read_files
from her2core.models.bundles.registry import chosen
from her2core.preprocessing.patches import decode_file
from her2core.serving.workbench import Workbench
from her2core.settings import Settings
from training.score import score_files

Floats = npt.NDArray[np.float32]
PREDICT_BATCH = 32
WARM = 4
_BARE_BATCHES = (8, 32)
_BARE_PATCHES = 64


def write_patches(folder: Path, count: int, demo_dir: Path) -> list[Path]:
    """`count` different patches as JPEG files of 448 pixels, the size real ones here have."""
    samples = [
        np.asarray(Image.open(path).convert("RGB").resize((448, 448)))
        for path in sorted(demo_dir.glob("*.png"))
    ]
    folder.mkdir(parents=True)
    files = []
    for number in range(count):
        random = np.random.default_rng(number)
        turned = np.rot90(samples[number % len(samples)], number // len(samples) % 4)
        tint = random.uniform(0.93, 1.0, 3)
        rgb = np.clip(np.roll(turned, number, axis=1) * tint, 0, 255).astype(np.uint8)
        files.append(folder / f"{number:05d}.jpg")
        Image.fromarray(rgb).save(files[-1], quality=92)
    return files


def scoring_rows(
    settings: Settings, workbench: Workbench, classifiers: dict[str, Any], files: Sequence[Path]
) -> Iterator[Row]:
    """The rate of `training.score` against loops that do no decoding.

    The first `WARM` files are scored before, so that neither side pays for starting and compiling.
    """
    warm, files = files[:WARM], files[WARM:]
    pixels = np.stack(
        [decode_file(path, settings.limits).pixels() for path in files[:_BARE_PATCHES]]
    )
    before = bare_rates(settings, classifiers, pixels)
    workbench.wait()
    list(score_files(_named(warm), workbench, settings))
    started = time.perf_counter()
    rows = list(score_files(_named(files), workbench, settings))
    ours = len(files) / (time.perf_counter() - started)
    if any(row["status"] != "scored" for of_file in rows for row in of_file):
        raise SystemExit("A patch of the benchmark was not scored.")
    after = bare_rates(settings, classifiers, pixels)
    best, bare = max((max(before[way], after[way]), way) for way in before)
    name = f"training.score over {len(files)} patches"
    yield rate(name, f"fastest bare loop without decoding: {bare}", best, ours, 0.9)
    predicted = len(pixels) / _seconds(lambda: _predict(classifiers, pixels))
    yield rate(
        name, f"keras predict in batches of {PREDICT_BATCH}, no decoding", predicted, ours, 2.0
    )


def bare_rates(settings: Settings, classifiers: dict[str, Any], pixels: Floats) -> dict[str, float]:
    """Patches per second of both networks, for each backend and batch size."""
    folders = chosen(settings)
    opened: list[Any] = [
        open_reader(read_files(folders[name]), "auto", settings.cache_dir) for name in ARCHITECTURES
    ]
    rates: dict[str, float] = {}
    for of_models in (opened, list(classifiers.values())):
        for size in _BARE_BATCHES:
            batches = [pixels[start : start + size] for start in range(0, len(pixels), size)]

            def loop(of_models: list[Any] = of_models, batches: list[Floats] = batches) -> None:
                for batch in batches:
                    for reader in of_models:
                        reader.read(batch)

            for reader in of_models:
                reader.read(batches[0])  # compiles
            rates[f"{of_models[0].backend}, batches of {size}"] = len(pixels) / _seconds(loop)
    return rates


def _named(files: Any) -> Iterator[tuple[str, Path]]:
    return ((path.name, path) for path in files)


def _predict(classifiers: dict[str, Any], pixels: Floats) -> None:
    for classifier in classifiers.values():
        classifier.bundle.model.predict(pixels, batch_size=PREDICT_BATCH, verbose=0)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
