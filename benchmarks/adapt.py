"""What adapting to a lab is worth, on halves it never saw: `python -m benchmarks.adapt --data DIR`.

DIR holds pictures and fields.csv (her2core.evaluation.fields). The parent fields of one source are
shared out in two halves, with every score in both where its fields allow; a bundle is fitted to one
half and reads the other, and the other way round, for three seeds. So are the same fields as
laboratories that stain otherwise would show them. What is fitted is thrown away: no weight that is
shipped learns from these pictures. Writes adapt.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.figure import ROOT
from her2core.common.files import write_atomically
from her2core.evaluation.fields import ExternalDataError, Field, read_fields
from her2core.models.adapt import LabelledFeatures, SoftmaxLayer, adapt_head
from her2core.models.bundles.bundle_files import read_files
from her2core.models.bundles.card import BundleError
from her2core.models.bundles.registry import chosen
from her2core.preprocessing.patches import Patch, decode
from her2core.settings import load_settings
from her2core.training.data.real_crops import recolour
from her2core.training.own_patches import OwnPatch, read_patches

SEEDS, SOURCE, GOAL = 3, "pezoa", 0.08
Image8 = npt.NDArray[np.uint8]


def _reddish(rgb: Image8) -> Image8:
    return np.asarray(np.round(rgb * np.array([1.0, 0.85, 0.8])), dtype=np.uint8)


LABORATORIES: dict[str, Callable[[Image8], Image8]] = {
    "as they are": lambda rgb: rgb,
    "stained paler (DAB times 0.55)": lambda rgb: recolour(rgb, 0.55),
    "stained darker (DAB times 1.7)": lambda rgb: recolour(rgb, 1.7),
    "a reddish camera": _reddish,
}


@dataclass(frozen=True)
class Row:
    """One network on one laboratory: exact agreement, means over both halves and all seeds.

    Attributes:
        architecture, laboratory: what was fitted to what.
        patches, groups: of both halves.
        before, after: share read exactly on the half that was not learnt from.
        gain: after less before; `least` and `most` of any half.
        goal: at least this gain is wanted; None: not stated.
    """

    architecture: str
    laboratory: str
    patches: int
    groups: int
    before: float
    after: float
    gain: float
    least: float
    most: float
    goal: float | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, print. Returns 0 when it was done, 1 with one sentence otherwise."""
    parser = argparse.ArgumentParser(prog="benchmarks.adapt", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with fields.csv")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "adapt.json")
    options = parser.parse_args(arguments)
    settings = load_settings()
    try:
        fields = [field for field in read_fields(options.data) if field.source == SOURCE]
        bundles = chosen(settings)
        rows = [
            _row(folder, name, fields)
            for folder in bundles.values()
            for name in LABORATORIES
            if print(f"{folder.name}, {name}", file=sys.stderr) is None
        ]
    except (ExternalDataError, BundleError) as error:
        print(error, file=sys.stderr)
        return 1
    text = json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False)
    write_atomically(options.out, f"{text}\n".encode())
    for row in rows:
        print(
            f"{row.architecture}, {row.laboratory}: {row.before:.3f} -> {row.after:.3f} "
            f"({row.gain:+.3f}; {row.least:+.3f} to {row.most:+.3f})"
        )
    return 0


def _row(folder: Path, laboratory: str, fields: Sequence[Field]) -> Row:
    files, settings = read_files(folder), load_settings()
    own = [
        OwnPatch(_loader(field, LABORATORIES[laboratory]), field.label, field.group)
        for field in fields
        if field.label is not None
    ]
    seen = read_patches(files, own, settings, lambda share: None).features
    old = SoftmaxLayer(
        files.tensors["logits/kernel"].astype(np.float64),
        files.tensors["logits/bias"].astype(np.float64),
    )
    temperature = files.card.temperature
    before: list[float] = []
    after: list[float] = []
    with threadpool_limits(1):
        for seed in range(SEEDS):
            first = _half(seen, seed)
            for learnt in (first, ~first):
                head = adapt_head(old, temperature, seen.of(np.flatnonzero(learnt)))
                other = seen.of(np.flatnonzero(~learnt))
                for layer, exact in ((old, before), (head.layer, after)):
                    calls = other.logits(layer, temperature).argmax(axis=1)
                    exact.append(float((calls == other.labels).mean()))
    gains = np.array(after) - np.array(before)
    return Row(
        files.card.architecture,
        laboratory,
        patches=len(seen),
        groups=len(set(seen.groups)),
        before=_rounded(np.mean(before)),
        after=_rounded(np.mean(after)),
        gain=_rounded(gains.mean()),
        least=_rounded(gains.min()),
        most=_rounded(gains.max()),
        goal=GOAL if laboratory == "as they are" else None,
    )


def _rounded(value: np.floating[Any]) -> float:
    return round(float(value), 4)


def _loader(field: Field, shown: Callable[[Image8], Image8]) -> Callable[[], Patch]:
    def load() -> Patch:
        patch = decode(field.path.read_bytes(), field.path.name, load_settings().limits)
        return Patch(patch.name, patch.sha256, shown(patch.rgb), patch.square)

    return load


def _half(seen: LabelledFeatures, seed: int) -> npt.NDArray[np.bool_]:
    """Which patches (n,) are of the first half: of each score every other group, in random order.

    Of an odd number of groups the halves take the larger part in turn.
    """
    rng = np.random.default_rng(seed)
    first: set[str] = set()
    more = bool(rng.integers(2))
    for label in sorted(set(seen.labels.tolist())):
        its = sorted(
            {group for group, own in zip(seen.groups, seen.labels, strict=True) if own == label}
        )
        count = (len(its) + more) // 2
        more = not more if len(its) % 2 else more
        first |= set(rng.permutation(its)[:count].tolist())
    return np.array([group in first for group in seen.groups])


if __name__ == "__main__":
    sys.exit(main())
