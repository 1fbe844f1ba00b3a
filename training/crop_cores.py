"""Cut labelled patches from whole tissue-microarray cores that carry one HER2 score each.

    python -m training.crop_cores --data DIR --out DIR --per-core N [--only ID,ID] [--recolour 0.5]

DIR holds cores.csv with the columns core, file, ihc_score and stain_matches_score; cores whose
stain does not match their score are left out. Writes class folders and truth.csv, whose `group`
column is the core: split by it, never by patch.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from her2core.scores import HER2Score
from her2core.training.data.real_crops import cut_crops

COLUMNS = ("file", "label", "group", "core_score", "x", "y", "size", "dab_factor")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.crop_cores", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--data", "--cores", type=Path, required=True, dest="cores", help="folder with cores.csv"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--per-core", type=int, default=100, help="crops for each core")
    parser.add_argument("--only", default="", help="core ids joined by commas (default: all)")
    parser.add_argument("--size", type=int, default=224, help="side in pixels (default 224)")
    parser.add_argument(
        "--field-um",
        type=float,
        nargs=2,
        default=(50.0, 300.0),
        metavar=("MIN", "MAX"),
        help="side of the field in micrometres, drawn log-uniformly (default 50 300)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed (default 0)")
    parser.add_argument(
        "--unselected",
        action="store_true",
        help="keep every crop with tissue under its core's score: for measuring, not training",
    )
    parser.add_argument(
        "--contradicted",
        action="store_true",
        help="take the cores whose stain does not match their score instead: to report them apart",
    )
    parser.add_argument(
        "--recolour",
        type=float,
        default=0.0,
        help="share of the crops of 2+ cores whose DAB is turned up or down (default 0)",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns 0 when crops were written, 1 otherwise."""
    args = _parser().parse_args(arguments)
    try:
        with (args.cores / "cores.csv").open(newline="", encoding="utf-8") as handle:
            matches = "no" if args.contradicted else "yes"
            cores = [row for row in csv.DictReader(handle) if row["stain_matches_score"] == matches]
    except OSError:
        print(f"There is no readable cores.csv in {args.cores}.", file=sys.stderr)
        return 1
    wanted = {name for name in args.only.split(",") if name}
    unknown = wanted - {row["core"] for row in cores}
    if unknown:
        print(f"cores.csv lists no usable core {', '.join(sorted(unknown))}.", file=sys.stderr)
        return 1
    if (args.out / "truth.csv").exists():
        print(f"{args.out} already holds a finished set; choose another folder.", file=sys.stderr)
        return 1
    rows: list[dict[str, object]] = []
    for row in tqdm([c for c in cores if not wanted or c["core"] in wanted], unit="core"):
        picture = np.asarray(Image.open(args.cores / row["file"]).convert("RGB"))
        rng = np.random.default_rng([args.seed, int(row["core"], 16)])
        score = HER2Score.from_label(row["ihc_score"])
        crops = cut_crops(
            picture,
            score,
            args.per_core,
            rng,
            field_um=tuple(args.field_um),
            recoloured_share=args.recolour,
            pixels=args.size,
        )
        for crop in crops:
            label = score if args.unselected else crop.label
            if label is None:
                continue
            name = f"{row['core']}_x{crop.x}_y{crop.y}_s{crop.size}_d{crop.dab_factor:.2f}.png"
            folder = args.out / label.folder
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(crop.rgb).save(folder / name)
            rows.append(
                {
                    "file": f"{label.folder}/{name}",
                    "label": label.key,
                    "group": row["core"],
                    "core_score": score.key,
                    "x": crop.x,
                    "y": crop.y,
                    "size": crop.size,
                    "dab_factor": round(crop.dab_factor, 3),
                }
            )
    with (args.out / "truth.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} labelled crops of {len({r['group'] for r in rows})} cores in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
