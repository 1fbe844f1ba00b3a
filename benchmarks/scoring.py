"""A folder of patches: how fast it is scored, whether the cost is linear and the memory flat.

`training.score` decodes, checks and writes; the bare loops it is compared with do nothing but run
the networks on pixels made before. The patches are the shipped synthetic samples, each turned and
tinted otherwise, so that all files differ and none is known from before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.rows import Row, rate, share
from her2core.models.backends.choose import open_reader
from her2core.models.bundles.bundle_files import read_files
from her2core.models.bundles.registry import ARCHITECTURES, chosen
from her2core.preprocessing.patches import Patch, decode
from her2core.serving.loaded_model import READINGS_KEPT
from her2core.serving.workbench import Workbench
from her2core.settings import Settings
from training.score import score_files

Floats = npt.NDArray[np.float32]
PREDICT_BATCH = 32
WARM = 4
_BARE_BATCHES = (8, 32)
_BARE_PATCHES = 64


@dataclass(frozen=True)
class Cost:
    """After `patches` patches: seconds since the first began, and resident memory in bytes."""

    patches: int
    seconds: float
    memory: int


def write_patches(folder: Path, count: int, demo_dir: Path, side: int = 448) -> list[Path]:
    """`count` different patches as JPEG files of `side` pixels, the size real ones here have."""
    samples = [
        np.asarray(Image.open(path).convert("RGB").resize((side, side)))
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
    pixels = np.stack([_decoded(path, settings).pixels() for path in files[:_BARE_PATCHES]])
    before = bare_rates(settings, classifiers, pixels)
    workbench.wait()
    list(score_files(_named(warm), workbench, settings.limits))
    started = time.perf_counter()
    rows = list(score_files(_named(files), workbench, settings.limits))
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
    found: dict[str, float] = {}
    for of_models in (opened, list(classifiers.values())):
        for size in _BARE_BATCHES:
            batches = [pixels[start : start + size] for start in range(0, len(pixels), size)]

            def loop(of_models: list[Any] = of_models, batches: list[Floats] = batches) -> None:
                for batch in batches:
                    for reader in of_models:
                        reader.read(batch)

            for reader in of_models:
                reader.read(batches[0])  # compiles
            found[f"{of_models[0].backend}, batches of {size}"] = len(pixels) / _seconds(loop)
    return found


def costs(settings: Settings, workbench: Workbench, files: Sequence[Path], most: int) -> list[Cost]:
    """Score `most` patches in one go and note time and memory at 1, 2, 5, 10, 20, 50 ... of them.

    Files are gone through again and again.

    Raises:
        SystemExit: there are no more files than a model remembers readings of.
    """
    if len(files) <= READINGS_KEPT < most:
        raise SystemExit(
            f"{most:,} patches from {len(files)} files: a model remembers {READINGS_KEPT} "
            f"readings, so name more than that by --patches, or fewer by --most."
        )
    steps = {m * 10**e for e in range(8) for m in (1, 2, 5)} | {most}
    found: list[Cost] = []
    workbench.wait()
    started = time.perf_counter()
    scored = score_files(_named(islice(cycle(files), most)), workbench, settings.limits)
    for number, _ in enumerate(scored, start=1):
        if number in steps:
            found.append(Cost(number, time.perf_counter() - started, resident_memory()))
    return found


def cost_rows(found: Sequence[Cost]) -> Iterator[Row]:
    """Whether a patch costs the same at the end as near the start, in time and in memory."""
    last = found[-1]
    # From where the caches are full on.
    first = next((cost for cost in found if cost.patches >= last.patches / 10), last)
    if first.patches >= last.patches:
        return
    early = first.seconds / first.patches
    late = (last.seconds - first.seconds) / (last.patches - first.patches)
    name = f"{last.patches:,} patches"
    against = f"the first {first.patches:,} of them"
    yield share(f"{name}: time for a patch", against, early, late, 1.1)
    memory = first.memory / 2**20, last.memory / 2**20
    yield share(f"{name}: memory at the end", f"after {first.patches:,}", *memory, 1.1, "MiB")


def resident_memory() -> int:
    """Resident memory of this process in bytes; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * 4096


def _decoded(path: Path, settings: Settings) -> Patch:
    return decode(path.read_bytes(), path.name, settings.limits)


def _named(files: Any) -> Iterator[tuple[str, Path]]:
    return ((path.name, path) for path in files)


def _predict(classifiers: dict[str, Any], pixels: Floats) -> None:
    for classifier in classifiers.values():
        classifier.bundle.model.predict(pixels, batch_size=PREDICT_BATCH, verbose=0)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
