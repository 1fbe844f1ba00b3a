"""Pen, folds, blur and exposure: `python -m benchmarks.quality` writes quality.json.

Two questions on real crops and on synthetic patches: how many are flagged as they are, and how many
once an artefact is planted (benchmarks/artefacts.py). A third: how many HER2 pictures of each
source are taken for another stain, and how many others are not. Rows that miss their goal are
written too.
"""

import argparse
import csv
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.artefacts import INKS, with_fold, with_pen
from benchmarks.figure import (
    ROOT,
    Figure,
    add_breast,
    add_cores,
    at_least,
    at_most,
    no_goal,
    publish,
    rgb_of,
)
from benchmarks.unfamiliar import unfamiliar
from her2core.preprocessing.patches import Patch, Square
from her2core.preprocessing.quality.assessment import QualityReport, assess
from her2core.preprocessing.quality.findings import (
    BLANK,
    BLURRED,
    BROWN_NUCLEI,
    CLIPPED,
    DARK,
    EOSIN,
    FOLD,
    GREY,
    NOT_IHC,
    PEN,
)
from her2core.scores import HER2Score
from her2core.training.synthetic import GeneratorConfig, make_patch

RGBArray = npt.NDArray[np.uint8]
_USUAL = GeneratorConfig(size=448, field_um=(90.0, 180.0))
_LEFT_ALONE, _FOUND = 0.05, 0.9
_WRONG_COLOURS = 0.03
_OTHER_STAIN = frozenset({NOT_IHC.code, EOSIN.code})
_NO_READABLE_HER2 = _OTHER_STAIN | {
    GREY.code, BROWN_NUCLEI.code, BLANK.code, DARK.code, CLIPPED.code, PEN,
}  # fmt: skip


def rows_of(name: str, images: Sequence[RGBArray], seed: int) -> list[Figure]:
    """What is found on a set of images as they are, and after each artefact."""
    rng = np.random.default_rng(seed)
    plain = [codes(image) for image in images]
    share = np.mean([bool(found & {FOLD.code, PEN}) for found in plain])
    rows = [
        at_most(f"{name}: flagged as fold or pen", float(share), _LEFT_ALONE, "share", len(images)),
        no_goal(
            f"{name}: with any warning",
            float(np.mean([bool(found) for found in plain])),
            "share",
            len(images),
        ),
    ]
    planted: dict[str, tuple[str, Callable[[RGBArray], RGBArray]]] = {
        f"{ink} pen": (PEN, lambda image, ink=ink: with_pen(image, ink, rng))  # type: ignore[misc]
        for ink in INKS
    }
    planted["fold, one more layer"] = (FOLD.code, lambda image: with_fold(image, rng, 1))
    planted["fold, two more layers"] = (FOLD.code, lambda image: with_fold(image, rng, 2))
    planted["fold"] = (FOLD.code, lambda image: with_fold(image, rng))
    planted["blur of 4 pixels"] = (BLURRED.code, lambda image: cv2.GaussianBlur(image, (0, 0), 4))
    planted["under-exposed by half"] = (DARK.code, lambda image: _scaled(image, 0.5))
    planted["over-exposed by 30 %"] = (CLIPPED.code, lambda image: _scaled(image, 1.3))
    for what, (code, change) in planted.items():
        found = float(np.mean([code in codes(change(image)) for image in images]))
        note = "one layer is the faintest fold there is" if "one more" in what else ""
        rows.append(at_least(f"{name}: {what} found", found, _FOUND, "share", len(images), note))
    return rows


def colour_rows(name: str, images: Sequence[RGBArray]) -> list[Figure]:
    """How many HER2 pictures are told that their colours are of something else."""
    changes: dict[str, Callable[[RGBArray], RGBArray]] = {
        "as they are": lambda image: image,
        "in warm light": lambda image: _scaled(image, (1, 0.93, 0.82)),
        "in cool light": lambda image: _scaled(image, (0.86, 0.95, 1)),
        "under-exposed by a stop": lambda image: _scaled(image, 0.72),
        "each channel stretched": _stretched,
        "colours 1.5 times as vivid": _vivid,
        "half as large": lambda image: cv2.resize(
            image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA
        ),
        "sharpened": lambda image: cv2.addWeighted(
            image, 2.5, cv2.GaussianBlur(image, (0, 0), 1.5), -1.5, 0
        ),
    }
    rows = []
    for what, change in changes.items():
        share = np.mean([bool(codes(change(image)) & _OTHER_STAIN) for image in images])
        title = f"{name}, {what}: told to be another stain"
        rows.append(at_most(title, float(share), _WRONG_COLOURS, "share", len(images)))
    return rows


def breast_rows(folder: Path) -> list[Figure]:
    """The same for real breast tissue, a source at a time, and how much of it is warned of."""
    sources: dict[str, list[RGBArray]] = {}
    with (folder / "fields.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            sources.setdefault(row["source"], []).append(rgb_of(folder / row["file"]))
    rows = []
    for name, images in sources.items():
        warned = float(np.mean([not _assessed(image).confirmable for image in images]))
        title = f"{name}: with a warning beside which agreement counts for nothing"
        rows += [no_goal(title, warned, "share", len(images)), *colour_rows(name, images)]
    return rows


def other_rows(sources: Sequence[RGBArray], count: int, seed: int) -> list[Figure]:
    """How many pictures of other things are warned of, by kind."""
    rows = []
    for name, images in unfamiliar(sources, count, seed).items():
        if images:
            share = float(np.mean([bool(codes(image) & _NO_READABLE_HER2) for image in images]))
            title = f"{name}: warned of as no readable HER2"
            rows.append(no_goal(title, share, "share", len(images)))
    return rows


def codes(image: RGBArray) -> set[str]:
    """Codes of the findings on the image's centred square."""
    return {each.code for each in _assessed(image).findings}


def _assessed(image: RGBArray) -> QualityReport:
    square = Square.centred(image.shape[1], image.shape[0])
    return assess(Patch("a", "0" * 64, image, square))


def speed_row(image: RGBArray) -> Figure:
    """Milliseconds of processor time for one assessment, the median of nine."""
    times = []
    for _ in range(9):
        started = time.process_time()
        codes(image)
        times.append((time.process_time() - started) * 1e3)
    return no_goal("one assessment at 448 pixels", float(np.median(times)), "ms", len(times))


def _scaled(image: RGBArray, by: float | tuple[float, ...]) -> RGBArray:
    return np.asarray(np.clip(image * np.array(by), 0, 255), np.uint8)


def _stretched(image: RGBArray) -> RGBArray:
    low, high = np.percentile(image, (1, 99), axis=(0, 1))
    return np.asarray(np.clip((image - low) / np.maximum(high - low, 1) * 255, 0, 255), np.uint8)


def _vivid(image: RGBArray) -> RGBArray:
    grey = image.mean(axis=2, keepdims=True)
    return np.asarray(np.clip(grey + 1.5 * (image - grey), 0, 255), np.uint8)


def _synthetic(count: int, seed: int) -> list[RGBArray]:
    rng = np.random.default_rng(seed)
    scores = [HER2Score(index % 4) for index in range(count)]
    return [make_patch(score, rng, _USUAL).rgb for score in scores]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write all rows; 0 also where goals are missed, for they are told."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality", description=__doc__)
    parser.add_argument("--patches", type=int, default=100, help="synthetic patches")
    parser.add_argument("--every", type=int, default=1, help="use every n-th real crop")
    parser.add_argument("--seed", type=int, default=20261)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "quality.json")
    add_cores(parser)
    add_breast(parser)
    options = parser.parse_args(arguments)
    synthetic = _synthetic(options.patches, options.seed)
    rows = [speed_row(synthetic[0]), *rows_of("synthetic", synthetic, options.seed + 1)]
    files = sorted((options.cores / "patches").glob("*.jpg"))[:: options.every]
    if files:
        real = [rgb_of(file) for file in files]
        rows += rows_of("real", real, options.seed + 2)
        rows += colour_rows("real", real)
        rows += other_rows(real[::6], options.patches, options.seed + 3)
    else:
        print(f"No real crops in {options.cores}: those rows are left out.", file=sys.stderr)
    if (options.breast / "fields.csv").is_file():
        rows += breast_rows(options.breast)
    else:
        print(f"No breast tissue in {options.breast}: those rows are left out.", file=sys.stderr)
    publish(rows, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
