"""Whole cores and a microarray scored, against their known scores; speed, workers and memory.

    python -m benchmarks.slides --cores DIR [--out FILE]

DIR holds cores.csv and the cores it names (JPEG of known score, 0.25 µm a pixel). Each is given as
it is and as a pyramidal TIFF, and all together as one microarray. Writes benchmarks/slides.json. No
picture is kept.
"""

from __future__ import annotations

import csv
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from tifffile import TiffWriter

from her2core.common.commands import command_parser
from her2core.common.files import write_atomically
from her2core.common.parallel import cores as processors
from her2core.preprocessing.glass import WHITE, balanced, find_glass
from her2core.scores import HER2Score, grade_gap
from her2core.serving.slide_runs import SlideJob, options_of, read_slides
from her2core.serving.slide_tasks import SlideOptions
from her2core.serving.worker_processes import WorkerProcesses
from her2core.settings import load_settings
from her2core.slides.plan import DEFAULT_UM
from her2core.slides.score import SlideScore, score_slide

UM_PER_PIXEL = 0.25
READERS = ("cnn", "densenet121")
# cores that the shipped networks learnt from (training/halves.sh, half a)
LEARNT = frozenset({"a6d0d6a6", "ccb66c10", "154ae963", "f8a2cea0", "a5593c5e"})
_TARGET = Path(__file__).with_suffix(".json")
_COLUMNS = 4

Row = dict[str, str]
RGB = npt.NDArray[np.uint8]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 0."""
    parser = command_parser("benchmarks.slides", __doc__)
    parser.add_argument("--cores", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, default=_TARGET, metavar="FILE")
    parser.add_argument("--kinds", default="jpeg,tiff,array", help="(default: %(default)s)")
    args = parser.parse_args(arguments)
    with (args.cores / "cores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    options = options_of(load_settings(), READERS, DEFAULT_UM, None)
    found: dict[str, Any] = {"models": dict(options.models), "regions_um": DEFAULT_UM}
    with tempfile.TemporaryDirectory() as folder:
        for kind in args.kinds.split(","):
            found[kind] = _measured(kind, rows, args.cores, options, Path(folder))
            write_atomically(args.out, (json.dumps(found, indent=1) + "\n").encode())
        found["workers"] = _workers(rows, args.cores, options, Path(folder))
        found["peak_mib"] = {
            name: round(resource.getrusage(who).ru_maxrss / 1024)
            for name, who in (
                ("command", resource.RUSAGE_SELF),
                ("largest process", resource.RUSAGE_CHILDREN),
            )
        }
    write_atomically(args.out, (json.dumps(found, indent=1) + "\n").encode())
    print(f"{args.out} written.", file=sys.stderr)
    return 0


def _measured(
    kind: str, rows: Sequence[Row], source: Path, options: SlideOptions, folder: Path
) -> dict[str, Any]:
    """Scores of all cores in one form, and the time they took."""
    if kind == "array":
        path = folder / "array.tif"
        write_pyramid(path, _mosaic(rows, source))
        jobs = [SlideJob(path)]
    else:
        jobs = [SlideJob(_as(kind, row, source, folder)) for row in rows]
    started = time.monotonic()
    with WorkerProcesses(processors()) as pool:
        outcomes = list(read_slides(jobs, options, pool, processors(), folder / f"kept-{kind}"))
    seconds = time.monotonic() - started
    scored: dict[str, SlideScore] = {}
    regions = 0
    for outcome in outcomes:
        if outcome.reading is None:
            print(outcome.message, file=sys.stderr)
            continue
        regions += len(outcome.reading.regions)
        for score in score_slide(outcome.reading, READERS, options.thresholds):
            scored[score.core or outcome.path.stem] = score
    named = {
        row["core"]: scored.get(_place(number) if kind == "array" else Path(row["file"]).stem)
        for number, row in enumerate(rows)
    }
    return {
        "cores": {row["core"]: _core(row, named[row["core"]]) for row in rows},
        "figures": {group: _figures(some, named) for group, some in _groups(rows)},
        "seconds": round(seconds, 1),
        "seconds_a_core": round(seconds / len(rows), 2),
        "regions": regions,
        "regions_a_second": round(regions / seconds, 2),
        "processes": processors(),
    }


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    matching = [row for row in rows if row["stain_matches_score"] == "yes"]
    yield "stain matches", matching
    yield "of these left out of training", [r for r in matching if r["core"] not in LEARNT]
    yield "stain contradicts", [r for r in rows if r["stain_matches_score"] != "yes"]


def _figures(rows: Sequence[Row], scores: dict[str, SlideScore | None]) -> dict[str, Any]:
    figures: dict[str, Any] = {"cores": len(rows)}
    for place, reader in enumerate((*READERS, "stain", "middle")):
        gaps = []
        for row in rows:
            score = scores[row["core"]]
            said = (
                None if score is None else [*(r.score for r in score.readers), score.score][place]
            )
            truth = HER2Score.from_label(row["ihc_score"])
            gaps.append(None if said is None else grade_gap(said, truth))
        figures[reader] = {
            "exact": sum(gap == 0 for gap in gaps),
            "within_one": sum(gap is not None and gap <= 1 for gap in gaps),
            "no_score": sum(gap is None for gap in gaps),
        }
    return figures


def _core(row: Row, score: SlideScore | None) -> dict[str, Any]:
    found: dict[str, Any] = {"truth": row["ihc_score"]}
    for one in score.readers if score is not None else ():
        shares = [round(share, 3) for share in one.shares or ()]
        label = None if one.score is None else one.score.key
        found[one.reader] = {"score": label, "shares": shares, "n": one.n}
    return found


def _workers(
    rows: Sequence[Row], source: Path, options: SlideOptions, folder: Path
) -> dict[str, Any]:
    """One core as a pyramid by one process and by two, each warmed up first."""
    path = _as("tiff", rows[-1], source, folder)
    seconds = {}
    for workers in (1, 2):
        with WorkerProcesses(workers) as pool:
            for name in ("warm", "timed"):
                kept = folder / f"kept-{workers}-{name}"
                started = time.monotonic()
                list(read_slides([SlideJob(path)], options, pool, workers, kept))
                seconds[str(workers)] = round(time.monotonic() - started, 2)
    return {"seconds": seconds, "ratio": round(seconds["1"] / seconds["2"], 2)}


def _as(kind: str, row: Row, source: Path, folder: Path) -> Path:
    file = source / row["file"]
    if kind == "jpeg":
        return file
    path = folder / f"{file.stem}.tif"
    if not path.exists():
        with Image.open(file) as image:
            write_pyramid(path, np.asarray(image.convert("RGB")))
    return path


def _place(number: int) -> str:
    return f"{'ABCD'[number // _COLUMNS]}{number % _COLUMNS + 1}"


def _mosaic(rows: Sequence[Row], source: Path) -> RGB:
    """All cores side by side on one glass, four to a row."""
    side = max(int(row[name]) for row in rows for name in ("width", "height")) + 400
    down = -(-len(rows) // _COLUMNS)
    whole = np.full((down * side, _COLUMNS * side, 3), int(WHITE), np.uint8)
    for number, row in enumerate(rows):
        with Image.open(source / row["file"]) as image:
            core = np.asarray(image.convert("RGB"))
        glass = find_glass(core)
        core = core if glass is None else balanced(core, glass)
        y, x = (number // _COLUMNS) * side + 200, (number % _COLUMNS) * side + 200
        whole[y : y + core.shape[0], x : x + core.shape[1]] = core
    return whole


def write_pyramid(path: Path, rgb: RGB) -> None:
    """A tiled pyramidal TIFF, packed as JPEG, that says 0.25 µm a pixel."""
    dots = 1e4 / UM_PER_PIXEL
    with TiffWriter(path, bigtiff=True) as file:
        for number in range(5):
            if number:
                size = (rgb.shape[1] // 2, rgb.shape[0] // 2)
                rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
            file.write(
                _tiles(rgb),
                shape=rgb.shape,
                dtype=np.uint8,
                tile=(256, 256),
                photometric="rgb",  # packed as YCbCr; said itself, the tiles would not be converted
                compression="jpeg",
                compressionargs={"level": 92},
                subfiletype=int(number > 0),
                resolution=(dots / 2**number, dots / 2**number),
                resolutionunit="CENTIMETER",
                metadata=None,
            )


def _tiles(rgb: RGB) -> Iterator[RGB]:
    for y in range(0, rgb.shape[0], 256):
        for x in range(0, rgb.shape[1], 256):
            tile = rgb[y : y + 256, x : x + 256]
            below, beside = 256 - tile.shape[0], 256 - tile.shape[1]
            yield np.pad(tile, ((0, below), (0, beside), (0, 0)), mode="edge")


if __name__ == "__main__":
    sys.exit(main())
