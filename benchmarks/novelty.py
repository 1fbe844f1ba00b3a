"""Are unfamiliar inputs flagged, and HER2 patches not? `python -m benchmarks.novelty --cores DIR`.

Reads real crops of cores that the bundle neither learnt from nor was calibrated on (its card names
those), synthetic patches of a fresh seed, and every kind of `benchmarks.unfamiliar`, through the
same code as the pages; writes novelty.json. Goals: 95 % of each kind flagged, at most 5 % of real
crops.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.unfamiliar import unfamiliar
from her2core.files import write_atomically
from her2core.models.novelty import load_novelty
from her2core.scores import HER2Score
from her2core.stain import measure
from her2core.training.real_crops import cut_crops
from her2core.training.synthetic import GeneratorConfig, make_patch

ROOT = Path(__file__).resolve().parent.parent
SHOULD_BE_FLAGGED, MAY_BE_FLAGGED = 0.95, 0.05
_BATCH = 16
Image8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """One kind of input. `value` is the share flagged, `goal` None where it is only told."""

    name: str
    value: float
    unit: str
    goal: str | None
    holds: bool | None
    n: int
    median: float
    note: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 0 also where goals are missed, for they are told."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(prog="benchmarks.novelty", description=__doc__)
    parser.add_argument(
        "--bundle", type=Path, default=ROOT / "data" / "bundles" / "densenet121-demo"
    )
    parser.add_argument("--number", type=int, default=60, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=40560)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "novelty.json")
    parser.add_argument(
        "--cores",
        type=Path,
        default=Path(os.environ.get("HER2_REAL_CORES") or ROOT.parent / "shared" / "real-cores"),
        help="folder with cores.csv",
    )
    args = parser.parse_args(arguments)
    if not (args.cores / "cores.csv").is_file():
        print(f"There is no cores.csv in {args.cores}; name the folder with --cores.")
        return 1
    rows = measured(args.bundle, args.cores, args.number, args.seed)
    for row in rows:
        mark = {True: "holds", False: "MISSES", None: ""}[row.holds]
        print(f"{row.value:7.1%} {row.goal or '':<8}{mark:<7}{row.name} (n {row.n}) {row.note}")
    text = json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)
    write_atomically(args.out, f"{text}\n".encode())
    return 0


def measured(bundle: Path, cores: Path, number: int, seed: int) -> list[Row]:
    """All rows.

    Raises:
        ValueError: the bundle has nothing to tell unfamiliar inputs by.
        BundleError: the bundle cannot be used.
    """
    from her2core.models.bundle import load_bundle
    from her2core.models.classifier import Classifier

    classifier = Classifier(load_bundle(bundle))
    card = classifier.bundle.card
    novelty = load_novelty(bundle, card)
    if novelty is None or card.novelty is None:
        raise ValueError(f"“{bundle.name}” has no novelty; add it with `training.add_novelty`.")

    def values(images: Sequence[Image8]) -> npt.NDArray[np.float32]:
        parts = []
        for start in range(0, len(images), _BATCH):
            pixels = np.stack(images[start : start + _BATCH]).astype(np.float32) / np.float32(255)
            parts.append(novelty.measure(pixels, classifier.infer(pixels)[1]))
        return np.concatenate(parts)

    used = set(card.novelty.groups)
    real = real_crops(cores, number, seed, used)
    rng = np.random.default_rng(seed)
    synthetic = [make_patch(HER2Score(i % 4), rng, GeneratorConfig()).rgb for i in range(number)]
    rows, everything = [], []
    for name, images in real.items():
        found = values(images)
        everything.append(found)
        rows.append(_told(f"real HER2 crops, core {name}", found, "part of the row of all cores"))
    together = np.concatenate(everything) if everything else np.zeros(0, np.float32)
    if len(together):
        share = float((together > 1).mean())
        rows.insert(
            0,
            Row(
                "real HER2 crops of cores nothing was learnt or calibrated on",
                round(share, 4),
                "share flagged",
                f"<= {MAY_BE_FLAGGED:g}",
                share <= MAY_BE_FLAGGED,
                len(together),
                _median(together),
                f"{len(real)} cores",
            ),
        )
    rows.append(_told("fresh synthetic patches", values(synthetic), ""))
    sources = [image for images in real.values() for image in images] + synthetic
    stained = [image for image in sources if measure(image).moderate > MAY_BE_FLAGGED]
    sources = [sources[at] for at in rng.permutation(len(sources))]
    for name, images in unfamiliar(sources, stained, number, seed + 1).items():
        if not images:
            print(f"No picture of the kind “{name}” is installed: left out.", file=sys.stderr)
            continue
        found = values(images)
        share = float((found > 1).mean())
        goal = f">= {SHOULD_BE_FLAGGED:g}"
        holds = share >= SHOULD_BE_FLAGGED
        rows.append(
            Row(name, round(share, 4), "share flagged", goal, holds, len(found), _median(found))
        )
    return rows


def real_crops(cores: Path, number: int, seed: int, used: set[str]) -> dict[str, list[Image8]]:
    """`number` crops of every core that is not among those used, by core."""
    with (cores / "cores.csv").open(newline="", encoding="utf-8") as handle:
        listed = [row for row in csv.DictReader(handle) if row["core"] not in used]
    found = {}
    for row in listed:
        picture = cv2.imread(str(cores / row["file"]), cv2.IMREAD_COLOR)
        rgb = np.ascontiguousarray(picture[..., ::-1])
        rng = np.random.default_rng([seed, int(row["core"], 16)])
        score = HER2Score.from_label(row["ihc_score"])
        found[row["core"]] = [crop.rgb for crop in cut_crops(rgb, score, number, rng)]
    return found


def _told(name: str, values: npt.NDArray[np.float32], note: str) -> Row:
    share = round(float((values > 1).mean()), 4)
    return Row(name, share, "share flagged", None, None, len(values), _median(values), note)


def _median(values: npt.NDArray[np.float32]) -> float:
    return round(float(np.median(values)), 3)


if __name__ == "__main__":
    sys.exit(main())
