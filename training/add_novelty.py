"""Teach a finished bundle what it knows, so that it can say when an input is unlike all of it.

    python -m training.add_novelty --bundle BUNDLE --known DIR[,DIR] --calibration DIR[,DIR] \\
        [--calibration-groups CORE,CORE] [--fields DIR] [--microscopes SHARE]

Writes novelty.safetensors into the bundle and names it in its card; the weights stay as they are.
KNOWN are patches like those the network learnt from; of some of them other stains are made, to be
told apart. CALIBRATION are patches of patients, slides or
cores that are not among the known, and synthetic ones that are not either; measure on neither of
them afterwards (the card names their groups, and `python -m benchmarks.novelty` leaves them out).
A folder that tells no groups apart counts as one. FIELDS are real fields with fields.csv, which
calibrate too, each source counting as a group.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from her2core.common.commands import command_parser
from her2core.common.refusal import RefusalError
from her2core.models.backends.choose import open_reader
from her2core.models.bundles.bundle_files import read_files
from her2core.models.ood.novelty_file import save_novelty
from her2core.settings import load_settings
from her2core.training.data.real_fields import labelled_fields
from her2core.training.known_patches import Drawing, teach
from her2core.training.novelty_patches import choose_patches
from training.console import run_command
from training.options import folders_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when the bundle was written, 1 otherwise."""
    args = _parser().parse_args(arguments)
    return run_command(lambda: _run(args), lambda: "Stopped.")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("training.add_novelty", __doc__)
    parser.add_argument("--bundle", required=True, type=Path, help="folder of a finished bundle")
    parser.add_argument(
        "--known", required=True, help="folders of patches such as training saw, by commas"
    )
    parser.add_argument(
        "--calibration", required=True, help="folders of held-out real patches, by commas"
    )
    parser.add_argument(
        "--calibration-groups", default="", help="take only these groups of them, by commas"
    )
    parser.add_argument("--fields", type=Path, help="real fields with fields.csv to calibrate on")
    parser.add_argument(
        "--microscopes",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of the known patches that are shown as other microscopes would have shown "
        "them, as in the recipe of the training (default %(default)s)",
    )
    parser.add_argument(
        "--most",
        type=int,
        default=700,
        metavar="N",
        help="known patches drawn from each folder (default %(default)s)",
    )
    parser.add_argument(
        "--flagged",
        type=float,
        default=0.03,
        metavar="SHARE",
        help="share of the calibration patches that may be called unfamiliar by distance (default "
        "%(default)s); for looking like another stain half as many again may",
    )
    parser.add_argument(
        "--others",
        type=int,
        default=400,
        metavar="N",
        help="patches to make of every other stain; 0 shows none (default %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the drawing (default 0)")
    return parser


def _run(args: argparse.Namespace) -> int:
    if not 0 < args.flagged < 0.5 or args.most < 20 or args.others < 0:
        raise RefusalError(
            "Use --flagged between 0 and 0.5, --most 20 or more, and --others 0 or more."
        )
    patches = choose_patches(
        folders_of(args.known),
        folders_of(args.calibration),
        [name for name in args.calibration_groups.split(",") if name],
        args.most,
        args.seed,
    )
    fields = None if args.fields is None else labelled_fields(args.fields)
    files, settings = read_files(args.bundle), load_settings()
    reader = open_reader(files, settings.backend, settings.cache_dir, exact=True)
    drawing = Drawing(args.flagged, args.others, args.seed, args.microscopes)
    try:
        novelty, facts = teach(reader, files.card.input, patches, drawing, fields)
    except ValueError as error:  # there are too few
        raise RefusalError(str(error)) from error
    save_novelty(args.bundle, files.card, novelty, facts)
    print(
        f"{args.bundle.name} knows {facts.known} patches; of {facts.calibration} held-out ones it "
        f"calls {facts.flagged:.1%} unfamiliar."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
