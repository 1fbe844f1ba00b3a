"""Is a stain flagged that a bundle was never shown? `python -m benchmarks.novelty_left_out ...`.

    python -m benchmarks.novelty_left_out --bundle BUNDLE --known DIR[,DIR] --calibration DIR[,DIR]

`benchmarks.novelty` measures the stains of which `training.add_novelty` shows the bundle examples.
A laboratory has others. So what the bundle knows is learnt again here, with the patches and flags
of that command, once for each kind of stain without it, and once with none; that kind is then made
of crops of cores not used before and of fresh synthetic patches. Writes novelty_left_out.json; the
bundle stays as it is. No goals: it says how far the figures of novelty.json carry.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.figure import ROOT, Figure, add_cores, publish, told
from benchmarks.novelty import fresh_patches, real_crops, shuffled
from her2core.models.bundles.card import BundleError
from her2core.training.data.datasets import DatasetError
from her2core.training.data.restained import restained
from training.add_novelty import (
    Seen,
    Vectors,
    learnt,
    look,
    network_features,
    parser,
    read_patches,
    vectors,
)

_SEED, _NUMBER = 40561, 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write. Returns 0 when the figures were written, 1 otherwise."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    command = parser()
    add_cores(command)
    args = command.parse_args(arguments)
    if not (args.cores / "cores.csv").is_file():
        print(f"There is no cores.csv in {args.cores}; name the folder with --cores.")
        return 1
    try:
        from her2core.models.bundles.bundle import load_bundle
        from her2core.models.classifier import Classifier

        patches = read_patches(args)
        features = network_features(Classifier(load_bundle(args.bundle)))
        seen = look(patches, features, args.others, args.seed)
    except (BundleError, DatasetError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    rng = np.random.default_rng(_SEED)
    real = real_crops(args.cores, _NUMBER, _SEED, set(patches.groups))
    sources = shuffled(real, fresh_patches(_NUMBER, rng), rng)
    crops = [image for images in real.values() for image in images]
    made = restained(sources, _NUMBER, rng)
    rows = left_out_rows(
        seen,
        args.flagged,
        vectors(crops, features),
        {kind: vectors(images, features) for kind, images in made.items() if images},
    )
    publish(rows, ROOT / "benchmarks" / "novelty_left_out.json")
    return 0


def left_out_rows(
    seen: Seen, flagged: float, real: Vectors, made: Mapping[str, Vectors]
) -> list[Figure]:
    """The share flagged of each kind by what was learnt without it, and without any.

    Args:
        seen: what the bundle knows and was shown.
        flagged: share of the held-out patches that may be called unfamiliar.
        real: crops of cores not used, of which few should be flagged.
        made: inputs of each kind.
    """
    ways = {
        f"never shown {kind}": {name: of for name, of in seen.others.items() if name != kind}
        for kind in made
    } | {"shown no other stain": {}}
    rows = []
    for way, others in ways.items():
        novelty = learnt(replace(seen, others=others), flagged)

        absent = {kind: of for kind, of in made.items() if kind not in others}
        for kind, of in {**absent, "real HER2 crops": real}.items():
            share = float((novelty.of(*of) > 1).mean())
            rows.append(told(f"{kind}, {way}", share, "share flagged", len(of[0])))
    return rows


if __name__ == "__main__":
    sys.exit(main())
