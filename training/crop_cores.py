"""Cut labelled patches from whole tissue-microarray cores that carry one HER2 score each.

    python -m training.crop_cores --data DIR --out DIR --per-core N [--only ID,ID] [--recolour 0.5]

DIR holds cores.csv with the columns core, file, ihc_score and stain_matches_score; cores whose
stain does not match their score are left out. Writes class folders and truth.csv, whose `group`
column is the core: split by it, never by patch.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from her2core.common.commands import command_parser
from her2core.common.refusal import RefusalError
from her2core.scores import HER2Score
from her2core.training.data.real_crops import cut_crops
from training.console import run_command
from training.patch_sets import add_set_options, refuse_finished, write_truth


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when crops were written, 1 otherwise."""
    args = _parser().parse_args(arguments)
    return run_command(lambda: _run(args), lambda: "Stopped.")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("training.crop_cores", __doc__)
    parser.add_argument(
        "--data", "--cores", type=Path, required=True, dest="cores", help="folder with cores.csv"
    )
    add_set_options(parser)
    parser.add_argument("--per-core", type=int, default=100, help="crops for each core")
    parser.add_argument("--only", default="", help="core ids joined by commas (default: all)")
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


def _run(args: argparse.Namespace) -> int:
    cores = _cores(args)
    refuse_finished(args.out)
    rows = [row for core in tqdm(cores, unit="core") for row in _crops(core, args)]
    write_truth(args.out, rows)
    print(f"{len(rows)} labelled crops of {len({r['group'] for r in rows})} cores in {args.out}")
    return 0


def _cores(args: argparse.Namespace) -> list[dict[str, str]]:
    """The rows of cores.csv that are wanted.

    Raises:
        RefusalError: the table cannot be read, or lists no such core.
    """
    matches = "no" if args.contradicted else "yes"
    try:
        with (args.cores / "cores.csv").open(newline="", encoding="utf-8") as handle:
            cores = [row for row in csv.DictReader(handle) if row["stain_matches_score"] == matches]
    except OSError:
        raise RefusalError(f"There is no readable cores.csv in {args.cores}.") from None
    wanted = {name for name in args.only.split(",") if name}
    if unknown := wanted - {row["core"] for row in cores}:
        raise RefusalError(f"cores.csv lists no usable core {', '.join(sorted(unknown))}.")
    return [row for row in cores if not wanted or row["core"] in wanted]


def _crops(core: dict[str, str], args: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Write the crops of a core; gives their rows of truth.csv."""
    picture = np.asarray(Image.open(args.cores / core["file"]).convert("RGB"))
    score = HER2Score.from_label(core["ihc_score"])
    crops = cut_crops(
        picture,
        score,
        args.per_core,
        np.random.default_rng([args.seed, int(core["core"], 16)]),
        field_um=tuple(args.field_um),
        recoloured_share=args.recolour,
        pixels=args.size,
    )
    for crop in crops:
        label = score if args.unselected else crop.label
        if label is None:
            continue
        name = f"{core['core']}_x{crop.x}_y{crop.y}_s{crop.size}_d{crop.dab_factor:.2f}.png"
        folder = args.out / label.folder
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop.rgb).save(folder / name)
        yield {
            "file": f"{label.folder}/{name}",
            "label": label.key,
            "group": core["core"],
            "core_score": score.key,
            "x": crop.x,
            "y": crop.y,
            "size": crop.size,
            "dab_factor": round(crop.dab_factor, 3),
        }


if __name__ == "__main__":
    sys.exit(main())
