"""How well a small classifier tells real from synthetic patches: a two-sample figure.

    python -m benchmarks.real_vs_synthetic --cores DIR [--per-class 150] [--field-um 50 300]

A random forest on some seventy simple measurements of colour, stain density and texture, trained
and tested by core (no core on both sides). An area under the ROC curve of 0.5 would mean that it
cannot tell them apart, 1.0 that it always can. The measurements it relies on most say what the
generator should learn next. Two-sample tests by classifier: Lopez-Paz & Oquab, ICLR 2017.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from her2core.scores import HER2Score
from her2core.stain import separate
from her2core.training.data.real_crops import cut_crops
from her2core.training.synthetic import GeneratorConfig, make_patch

RESULTS = Path(__file__).parent / "real_vs_synthetic.json"
_QUANTILES = (1, 10, 50, 90, 99)


@dataclass(frozen=True)
class Comparison:
    """One group of patches compared: what, how many, the AUC and what gives most away."""

    name: str
    real: int
    synthetic: int
    cores: int
    auc: float
    telling: tuple[str, ...]


def measurements(rgb: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Some seventy numbers of a (224, 224, 3) uint8 patch: colour, stain, texture by scale."""
    found: dict[str, float] = {}
    haematoxylin, dab = separate(rgb)
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV).astype(np.float32)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    layers = {
        "red": rgb[..., 0].astype(np.float32),
        "green": rgb[..., 1].astype(np.float32),
        "blue": rgb[..., 2].astype(np.float32),
        "saturation": hsv[..., 1],
        "haematoxylin": haematoxylin,
        "DAB": dab,
    }
    for name, layer in layers.items():
        for q, value in zip(_QUANTILES, np.percentile(layer, _QUANTILES), strict=True):
            found[f"{name} {q} %"] = float(value)
    for name, layer in (("grey", grey), ("haematoxylin", haematoxylin), ("DAB", dab)):
        previous = layer
        for level in range(5):
            smooth = cv2.GaussianBlur(layer, (0, 0), 0.7 * 2**level)
            band = previous - smooth
            found[f"{name} detail at {2**level} px"] = float(np.log(band.std() + 1e-4))
            found[f"{name} skew at {2**level} px"] = float(
                ((band - band.mean()) ** 3).mean() / (band.std() ** 3 + 1e-6)
            )
            previous = smooth
    found["H-DAB correlation"] = float(
        np.corrcoef(haematoxylin.ravel() + 1e-6 * np.arange(grey.size), dab.ravel() + 1e-9)[0, 1]
        if dab.std() > 0
        else 0.0
    )
    return found


def real_patches(
    folder: Path, per_core: int, field_um: tuple[float, float], seed: int
) -> tuple[list[npt.NDArray[np.uint8]], list[str], list[HER2Score]]:
    """Crops of every core whose stain matches its score, with core and plausible label."""
    pictures, cores, labels = [], [], []
    with (folder / "cores.csv").open(newline="", encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["stain_matches_score"] == "yes"]
    for row in rows:
        core = np.asarray(Image.open(folder / row["file"]).convert("RGB"))
        rng = np.random.default_rng([seed, int(row["core"], 16)])
        score = HER2Score.from_label(row["ihc_score"])
        for crop in cut_crops(core, score, per_core, rng, field_um=field_um):
            if crop.label is not None:
                pictures.append(crop.rgb)
                cores.append(row["core"])
                labels.append(crop.label)
    return pictures, cores, labels


def compare(
    name: str,
    real: Sequence[npt.NDArray[np.uint8]],
    cores: Sequence[str],
    synthetic: Sequence[npt.NDArray[np.uint8]],
) -> Comparison:
    """Cross-validate by core; synthetic patches are spread evenly over the folds."""
    rows = [measurements(rgb) for rgb in (*real, *synthetic)]
    names = list(rows[0])
    X = np.array([[row[n] for n in names] for row in rows])
    y = np.array([1] * len(real) + [0] * len(synthetic))
    groups = [*cores, *(f"synthetic {i}" for i in range(len(synthetic)))]
    guessed, importance = np.zeros(len(y)), np.zeros(len(names))
    for train, test in GroupKFold(min(5, len(set(cores)))).split(X, y, groups):
        forest = RandomForestClassifier(
            300, min_samples_leaf=3, class_weight="balanced", random_state=0, n_jobs=2
        ).fit(X[train], y[train])
        guessed[test] = forest.predict_proba(X[test])[:, 1]
        importance += forest.feature_importances_
    best = np.argsort(importance)[::-1][:8]
    telling = tuple(
        f"{names[i]}: real {np.median(X[y == 1, i]):.3g}, synthetic {np.median(X[y == 0, i]):.3g}"
        for i in best
    )
    auc = float(roc_auc_score(y, guessed))
    return Comparison(name, len(real), len(synthetic), len(set(cores)), auc, telling)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print and write benchmarks/real_vs_synthetic.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_vs_synthetic")
    parser.add_argument("--cores", type=Path, required=True, help="folder with cores.csv")
    parser.add_argument("--per-class", type=int, default=150, help="synthetic patches a class")
    parser.add_argument("--field-um", type=float, nargs=2, default=(50.0, 300.0))
    parser.add_argument("--variety", type=float, default=0.0, help="0: the fitted scanner")
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args(arguments)
    field_um = (args.field_um[0], args.field_um[1])
    if not (args.cores / "cores.csv").is_file():
        print(f"There is no cores.csv in {args.cores}.", file=sys.stderr)
        return 1
    pictures, cores, labels = real_patches(args.cores, 60, field_um, args.seed)
    config = GeneratorConfig(field_um=field_um, variety=args.variety)
    synthetic = {
        score: [
            make_patch(score, np.random.default_rng([args.seed, int(score), i]), config).rgb
            for i in range(args.per_class)
        ]
        for score in HER2Score
    }
    found = []
    for name, scores in (
        ("0 and 1+", (HER2Score.ZERO, HER2Score.ONE_PLUS)),
        ("2+ and 3+", (HER2Score.TWO_PLUS, HER2Score.THREE_PLUS)),
    ):
        mine = [i for i, label in enumerate(labels) if label in scores]
        made = [rgb for score in scores for rgb in synthetic[score]]
        found.append(compare(name, [pictures[i] for i in mine], [cores[i] for i in mine], made))
    for row in found:
        print(f"{row.name}: AUC {row.auc:.3f} ({row.real} real of {row.cores} cores)")
        print("   " + "\n   ".join(row.telling))
    text = json.dumps([asdict(row) for row in found], indent=2, ensure_ascii=False)
    args.out.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
