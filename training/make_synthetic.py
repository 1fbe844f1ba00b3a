"""Write a folder of synthetic HER2 IHC patches: class_0, class_1+, class_2+, class_3+, truth.csv.

    python -m training.make_synthetic --out DIR --per-class N --seed S

The same arguments give the same files, whatever the number of workers. Synthetic patches are for
training demonstrations and for tests; they are not tissue.
"""

import argparse
import io
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from her2core.common.commands import command_parser
from her2core.common.refusal import RefusalError
from her2core.scores import HER2Score
from her2core.training.synthetic import GeneratorConfig, SyntheticPatch, make_patch
from training.console import run_command
from training.patch_sets import add_set_options, refuse_finished, write_truth


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
    stream = io.BytesIO()
    Image.fromarray(patch.rgb).save(stream, "PNG")
    row = {
        "file": job.file,
        "label": patch.score.key,
        "group": Path(job.file).stem,
        "field_um": round(patch.field_um, 1),
        **{name: round(value, 4) for name, value in asdict(patch.truth).items()},
    }
    return row, stream.getvalue()


def write_set(jobs: list[Job], out: Path, workers: int) -> Iterator[dict[str, object]]:
    """Write the patches of `jobs` below `out` and yield their rows of truth.csv in order."""
    for score in HER2Score:
        (out / score.folder).mkdir(parents=True, exist_ok=True)
    if workers == 1:
        for job in jobs:
            yield _written(out, *_row(job))
        return
    # A forked process inherits the locks of TensorFlow's threads and may wait on them for ever.
    fresh = multiprocessing.get_context("spawn")
    # one thread a worker: OpenCV's own threads would fight over the cores
    with ProcessPoolExecutor(workers, fresh, cv2.setNumThreads, (1,)) as pool:
        for row, png in pool.map(_row, jobs, chunksize=8):
            yield _written(out, row, png)


def _written(out: Path, row: dict[str, object], png: bytes) -> dict[str, object]:
    (out / str(row["file"])).write_bytes(png)
    return row


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("training.make_synthetic", __doc__)
    add_set_options(parser)
    parser.add_argument(
        "--per-class", type=int, required=True, help="patches for each of 4 classes"
    )
    parser.add_argument(
        "--variety", type=float, default=1.0, help="spread of cameras and stains (default 1)"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when all patches were written, 1 otherwise."""
    args = _parser().parse_args(arguments)
    return run_command(lambda: _run(args), lambda: "Stopped.", at_once=False)


def _run(args: argparse.Namespace) -> int:
    low, high = args.field_um
    if args.per_class < 1 or args.seed < 0 or args.size < 32 or args.workers < 1:
        raise RefusalError("Use --per-class 1 or more, --seed 0 or more, --size 32 or more.")
    if not 20 <= low <= high <= 1000:
        raise RefusalError("--field-um needs 20 <= MIN <= MAX <= 1000 micrometres.")
    refuse_finished(args.out)
    config = GeneratorConfig(size=args.size, field_um=(low, high), variety=args.variety)
    jobs = [
        Job(score, index, args.seed, config)
        for index in range(args.per_class)
        for score in HER2Score
    ]
    rows = list(tqdm(write_set(jobs, args.out, args.workers), total=len(jobs), unit="patch"))
    write_truth(args.out, rows)
    print(f"{len(rows)} synthetic patches in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
