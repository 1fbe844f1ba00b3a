"""Evaluate model bundles on labelled patches: report.json, pictures and one HTML page.

    python -m training.evaluate --data DIR[,DIR] --bundles BUNDLE[,BUNDLE] --out REPORT

DIR is read in every layout that training reads; where it brings a split of its own, only its test
part is evaluated. The `group` column of truth.csv or of the table, or --group-pattern, names the
patient, slide or core of each patch. Figures come with 95 % intervals resampled by group.
The Evaluation page lists reports in data/reports and in HER2_HOME/reports.
"""

import argparse
import sys
from collections.abc import Sequence

from her2core.common.commands import command_parser
from her2core.common.refusal import RefusalError
from her2core.evaluation.report import Report
from her2core.models.bundles.card import CARD_FILE, ModelCard
from her2core.serving.loaded_model import LoadedModel
from her2core.settings import load_settings
from her2core.training.provenance import provenance_of
from training.options import add_group_pattern, folders_of
from training.report_command import (
    add_report_options,
    make_folder,
    make_report,
    report_models,
    write_report,
)
from training.report_rows import (
    file_notes,
    left_out_note,
    read_rows,
    read_test_part,
    without_known,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when a report was written of all files, 2 of some, 1 of none."""
    return make_report(run, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("training.evaluate", __doc__)
    parser.add_argument("--data", required=True, help="folders of labelled patches, by commas")
    add_group_pattern(parser)
    parser.add_argument(
        "--bundles", "--models", required=True, dest="models", help="bundle folders, with commas"
    )
    add_report_options(parser)
    parser.add_argument(
        "--gallery",
        type=int,
        default=12,
        metavar="N",
        help="pictures of the N worst errors of each model and N largest disagreements (default "
        "%(default)s; 0 writes no image, for patches that may not be passed on)",
    )
    return parser


def run(args: argparse.Namespace) -> Report:
    """Read, evaluate and write, as the command line says.

    Raises:
        RefusalError: nothing can be evaluated, or the report cannot
            be written.
        OSError: a folder cannot be read.
    """
    if args.gallery < 0:
        raise RefusalError("Use --gallery 0 or more.")
    folders, bundles = folders_of(args.data), folders_of(args.models)
    if not folders:
        raise RefusalError("Name at least one folder of labelled patches with --data.")
    layouts = [read_test_part(folder, args.group_pattern) for folder in folders]
    files = [file for layout in layouts for file in layout.files]
    cards = [ModelCard.read(folder / CARD_FILE) for folder in bundles]
    if not cards:
        raise RefusalError("Name at least one bundle folder with --bundles.")
    if len({card.model_id for card in cards}) < len(cards):
        raise RefusalError("Two of the bundles hold the same weights; name each model once.")
    make_folder(args.out)
    models, settings = report_models(cards), load_settings()
    provenance = {m.title: provenance_of(folder) for folder, m in zip(bundles, models, strict=True)}
    rows, prints, unread = read_rows(files, [LoadedModel(folder, settings) for folder in bundles])
    if not rows:
        raise RefusalError(f"No picture could be read. {unread[0]}")
    rows, notes = without_known(rows, prints, provenance)
    notes = [*file_notes(rows, unread), *notes]
    for folder, layout in zip(folders, layouts, strict=True):
        notes += left_out_note(folder, layout)
    return write_report(args, folders, models, rows, notes, files, args.gallery)


if __name__ == "__main__":
    sys.exit(main())
