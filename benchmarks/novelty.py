"""Are unfamiliar inputs flagged, and HER2 patches not? `python -m benchmarks.novelty --cores DIR`.

Reads real crops of cores that the bundle neither learnt from nor was calibrated on (its card names
those), synthetic patches of a fresh seed, and every kind of `benchmarks.unfamiliar`, through the
same code as the pages; writes novelty.json. Goals: 95 % of each kind flagged, at most 5 % of real
crops. A second row of each kind adds what a quality warning tells: how many are flagged or have one
beside which agreement counts for nothing on the Review page.
"""

import csv
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.figure import ROOT, Figure, add_cores, at_least, at_most, no_goal, publish, rgb_of
from benchmarks.unfamiliar import unfamiliar
from her2core.common.commands import command_parser
from her2core.models.verdict import UNFAMILIAR
from her2core.preprocessing.patches import MODEL_SIDE, Patch, Square
from her2core.preprocessing.quality.assessment import assess
from her2core.scores import HER2Score
from her2core.serving.batches import read_in_batches
from her2core.serving.loaded_model import LoadedModel
from her2core.settings import load_settings
from her2core.training.data.real_crops import cut_crops
from her2core.training.synthetic import GeneratorConfig, make_patch

SHOULD_BE_FLAGGED, MAY_BE_FLAGGED = 0.95, 0.05
_WHOLE = Square.centred(MODEL_SIDE, MODEL_SIDE)
_UNIT = "share flagged"
SYNTHETIC = "fresh synthetic patches"
Image8 = npt.NDArray[np.uint8]
Distances = npt.NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 0 also where goals are missed, they are in the file."""
    parser = command_parser("benchmarks.novelty", __doc__)
    parser.add_argument(
        "--bundle", type=Path, default=ROOT / "data" / "bundles" / "densenet121-demo"
    )
    parser.add_argument("--number", type=int, default=60, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=40560)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "novelty.json")
    add_cores(parser)
    args = parser.parse_args(arguments)
    if not (args.cores / "cores.csv").is_file():
        print(f"There is no cores.csv in {args.cores}; name the folder with --cores.")
        return 1
    publish(measured(args.bundle, args.cores, args.number, args.seed), args.out)
    return 0


def measured(bundle: Path, cores: Path, number: int, seed: int) -> list[Figure]:
    """All rows.

    Raises:
        ValueError: the bundle has nothing to tell unfamiliar inputs by.
        BundleError: the bundle cannot be used.
    """
    model = LoadedModel(bundle, load_settings())
    if model.card.novelty is None:
        raise ValueError(f"“{bundle.name}” has no novelty; add it with `training.add_novelty`.")

    def values(images: Sequence[Image8]) -> Distances:
        verdicts = read_in_batches([model], map(_patch, images))
        return np.array([verdict.novelty for (verdict,) in verdicts], np.float32)

    real = real_crops(cores, number, seed, set(model.card.novelty.groups))
    rng = np.random.default_rng(seed)
    synthetic = fresh_patches(number, rng)
    rows = []
    by_core = {name: values(images) for name, images in real.items()}
    if by_core:
        title = "real HER2 crops of cores nothing was learnt or calibrated on"
        together = np.concatenate(list(by_core.values()))
        note = f"{len(real)} cores, {_median(together)}"
        rows += [
            at_most(title, _share(together), MAY_BE_FLAGGED, _UNIT, len(together), note),
            _warned(title, [image for images in real.values() for image in images], together),
        ]
    for name, distances in by_core.items():
        part = "part of the row of all cores"
        rows.append(_row(f"real HER2 crops, core {name}", distances, part))
    distances = values(synthetic)
    rows += [_row(SYNTHETIC, distances), _warned(SYNTHETIC, synthetic, distances)]
    for name, images in unfamiliar(shuffled(real, synthetic, rng), number, seed + 1).items():
        if not images:
            print(f"No picture of the kind “{name}” is installed: left out.", file=sys.stderr)
            continue
        distances = values(images)
        note = _median(distances)
        rows += [
            at_least(name, _share(distances), SHOULD_BE_FLAGGED, _UNIT, len(images), note),
            _warned(name, images, distances),
        ]
    return rows


def real_crops(cores: Path, number: int, seed: int, used: set[str]) -> dict[str, list[Image8]]:
    """`number` crops of every core that is not among those used, by core."""
    with (cores / "cores.csv").open(newline="", encoding="utf-8") as handle:
        listed = [row for row in csv.DictReader(handle) if row["core"] not in used]
    found = {}
    for row in listed:
        rgb = rgb_of(cores / row["file"])
        rng = np.random.default_rng([seed, int(row["core"], 16)])
        score = HER2Score.from_label(row["ihc_score"])
        found[row["core"]] = [crop.rgb for crop in cut_crops(rgb, score, number, rng)]
    return found


def fresh_patches(number: int, rng: np.random.Generator) -> list[Image8]:
    """Synthetic patches of all scores."""
    return [make_patch(HER2Score(i % 4), rng, GeneratorConfig()).rgb for i in range(number)]


def shuffled(
    real: Mapping[str, list[Image8]], synthetic: Sequence[Image8], rng: np.random.Generator
) -> list[Image8]:
    """All of them, in an order that prefers none."""
    sources = [*(image for images in real.values() for image in images), *synthetic]
    return [sources[at] for at in rng.permutation(len(sources))]


def _row(name: str, distances: Distances, note: str = "") -> Figure:
    return no_goal(
        name,
        _share(distances),
        _UNIT,
        len(distances),
        ", ".join(filter(None, (note, _median(distances)))),
    )


def _warned(name: str, images: Sequence[Image8], distances: Distances) -> Figure:
    """How many are flagged or have a warning that greys the agreement of the networks."""
    warned = [
        distance > UNFAMILIAR or not assess(_patch(image)).confirmable
        for image, distance in zip(images, distances, strict=True)
    ]
    return no_goal(f"{name}: flagged or warned of", float(np.mean(warned)), "share", len(warned))


def _patch(image: Image8) -> Patch:
    return Patch("a", hashlib.sha256(image.tobytes()).hexdigest(), image, _WHOLE)


def _share(distances: Distances) -> float:
    """The share flagged: farther than the threshold, which is 1."""
    return float((distances > UNFAMILIAR).mean())


def _median(distances: Distances) -> str:
    return f"median distance {np.median(distances):.3f}"


if __name__ == "__main__":
    sys.exit(main())
