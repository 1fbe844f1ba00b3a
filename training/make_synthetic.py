"""Write a folder of synthetic HER2 IHC patches: class_0, class_1+, class_2+, class_3+, truth.csv.

    python -m training.make_synthetic --out DIR --per-class N --seed S

The same arguments give the same files, whatever the number of workers. Synthetic patches are for
training demonstrations and for tests; they are not tissue.
"""

import argparse
import csv
import io
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from her2core.scores import HER2Score
from her2core.training.synthetic import GeneratorConfig, SyntheticPatch, make_patch

TRUTH_COLUMNS = (
    "file",
    "label",
    "group",
    "field_um",
    "cells",
    "none",
    "faint_incomplete",
    "moderate_complete",
    "intense_complete",
)


@dataclass(frozen=True)
class Job:
    """One patch to make: which class, which number, with which seed and configuration."""

    score: HER2Score
    index: int
    seed: int
    config: GeneratorConfig

    @property
    def file(self) -> str:
        """Path of the patch relative to the output folder."""
        return f"{self.score.folder}/synthetic_{self.seed}_{self.score.column}_{self.index:05d}.png"

    def make(self) -> SyntheticPatch:
        """Make the patch; each has its own generator, so that order does not matter."""
        rng = np.random.default_rng([self.seed, int(self.score), self.index])
        return make_patch(self.score, rng, self.config)


def _row(job: Job) -> tuple[dict[str, object], bytes]:
    patch = job.make()
    truth = patch.truth
    stream = io.BytesIO()
    Image.fromarray(patch.rgb).save(stream, "PNG")
    row = {
        "file": job.file,
        "label": patch.score.key,
        "group": Path(job.file).stem,
        "field_um": round(patch.field_um, 1),
        "cells": truth.cells,
        "none": round(truth.none, 4),
        "faint_incomplete": round(truth.faint_incomplete, 4),
        "moderate_complete": round(truth.moderate_complete, 4),
        "intense_complete": round(truth.intense_complete, 4),
    }
    return row, stream.getvalue()


def write_set(jobs: list[Job], out: Path, workers: int) -> Iterator[dict[str, object]]:
    """Write the patches of `jobs` below `out` and yield their rows of truth.csv in order."""
    for score in HER2Score:
        (out / score.folder).mkdir(parents=True, exist_ok=True)
    if workers == 1:
        made: Iterator[tuple[dict[str, object], bytes]] = map(_row, jobs)
        yield from _save(made, out)
        return
    # A forked process inherits the locks of TensorFlow's threads and may wait on them for ever.
    fresh = multiprocessing.get_context("spawn")
    # one thread a worker: OpenCV's own threads would fight over the cores
    with ProcessPoolExecutor(workers, fresh, cv2.setNumThreads, (1,)) as pool:
        yield from _save(pool.map(_row, jobs, chunksize=8), out)


def _save(
    made: Iterator[tuple[dict[str, object], bytes]], out: Path
) -> Iterator[dict[str, object]]:
    for row, png in made:
        (out / str(row["file"])).write_bytes(png)
        yield row


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.make_synthetic", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write (made if missing)")
    parser.add_argument(
        "--per-class", type=int, required=True, help="patches for each of 4 classes"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed, 0 or more (default 0)")
    parser.add_argument("--size", type=int, default=224, help="side in pixels (default 224)")
    parser.add_argument(
        "--field-um",
        type=float,
        nargs=2,
        default=(50.0, 300.0),
        metavar=("MIN", "MAX"),
        help="side of the field in micrometres, drawn log-uniformly (default 50 300)",
    )
    parser.add_argument(
        "--variety", type=float, default=1.0, help="spread of cameras and stains (default 1)"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns 0 when all patches were written, 1 otherwise."""
    args = _parser().parse_args(arguments)
    low, high = args.field_um
    if args.per_class < 1 or args.seed < 0 or args.size < 32 or args.workers < 1:
        print("Use --per-class 1 or more, --seed 0 or more, --size 32 or more.", file=sys.stderr)
        return 1
    if not 20 <= low <= high <= 1000:
        print("--field-um needs 20 <= MIN <= MAX <= 1000 micrometres.", file=sys.stderr)
        return 1
    if (args.out / "truth.csv").exists():
        print(f"{args.out} already holds a finished set; choose another folder.", file=sys.stderr)
        return 1
    config = GeneratorConfig(size=args.size, field_um=(low, high), variety=args.variety)
    jobs = [
        Job(score, index, args.seed, config)
        for index in range(args.per_class)
        for score in HER2Score
    ]
    try:
        rows = list(tqdm(write_set(jobs, args.out, args.workers), total=len(jobs), unit="patch"))
        with (args.out / "truth.csv").open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, TRUTH_COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        print(f"Could not write to {args.out}: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"{len(rows)} synthetic patches in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
