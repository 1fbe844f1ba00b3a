"""One report over several folds, each read by models that were not trained on it.

    python -m training.crossfit --fold DATA=BUNDLE[,BUNDLE] --fold DATA=BUNDLE[,BUNDLE] --out REPORT

Every fold's patches are read by that fold's own bundles, one of each architecture; the report then
speaks of a way of training rather than of one set of weights (cross-fitting). With few cores this
uses each of them for testing once. What a bundle learnt from is left out of its fold and said.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from her2core.common.commands import command_parser
from her2core.common.refusal import RefusalError
from her2core.common.text import printable
from her2core.evaluation.report import PatchRow, Report, ReportModel
from her2core.models.bundles.card import CARD_FILE, ModelCard
from her2core.serving.loaded_model import LoadedModel
from her2core.settings import Settings, load_settings
from her2core.training.provenance import provenance_of
from training.options import folders_of
from training.report_command import (
    add_report_options,
    make_folder,
    make_report,
    report_models,
    write_report,
)
from training.report_rows import left_out_note, read_rows, read_test_part, without_known


@dataclass(frozen=True)
class Fold:
    """A folder of labelled patches and the bundles that never saw them."""

    data: Path
    bundles: tuple[Path, ...]


def _fold(text: str) -> Fold:
    data, equals, bundles = text.partition("=")
    found = folders_of(bundles)
    if not equals or not data or not found:
        raise argparse.ArgumentTypeError(f"'{text}' is not DATA=BUNDLE[,BUNDLE]")
    return Fold(Path(data), tuple(found))


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("training.crossfit", __doc__)
    parser.add_argument("--fold", action="append", required=True, type=_fold, dest="folds")
    add_report_options(parser)
    parser.add_argument(
        "--note", action="append", default=[], metavar="TEXT", help="what the report must say too"
    )
    return parser


def crossfit_models(folds: Sequence[Sequence[ModelCard]]) -> tuple[ReportModel, ...]:
    """The models of the report, one per architecture, from the cards of each fold.

    Raises:
        RefusalError: the folds do not hold the same architectures, each once.
    """
    names = [[card.architecture for card in cards] for cards in folds]
    if any(sorted(found) != sorted(set(names[0])) for found in names):
        raise RefusalError("Every fold needs one bundle of each architecture, the same in all.")
    return tuple(
        replace(
            model,
            key=model.architecture,
            name=f"{model.title}, {len(folds)} folds",
            training_data=_of_all_folds(model.architecture, folds),
            # each fold has its own; those of the first would be wrong for the others
            temperature=None,
            conformal=None,
            measured=None,
        )
        for model in report_models(folds[0])
    )


def _of_all_folds(architecture: str, folds: Sequence[Sequence[ModelCard]]) -> str:
    sentences = [
        card.training_data for cards in folds for card in cards if card.architecture == architecture
    ]
    if len(set(sentences)) == 1:
        return sentences[0]
    return " ".join(f"Fold {number}: {text}" for number, text in enumerate(sentences, start=1))


def fold_rows(fold: Fold, settings: Settings) -> tuple[list[PatchRow], list[str]]:
    """The fold's rows, probabilities under the architecture's name, and sentences on what failed.

    Raises:
        BundleError, DatasetError: the fold cannot be read.
    """
    layout = read_test_part(fold.data, None)
    models = [LoadedModel(folder, settings) for folder in fold.bundles]
    provenance = {
        f"the fold's {model.card.name}": provenance_of(folder)
        for model, folder in zip(models, fold.bundles, strict=True)
    }
    rows, prints, unread = read_rows(layout.files, models)
    rows, notes_on_known = without_known(rows, prints, provenance)
    names = {model.model_id: model.card.architecture for model in models}
    by_architecture = [
        replace(row, probabilities={names[key]: its for key, its in row.probabilities.items()})
        for row in rows
    ]
    return by_architecture, [*unread, *notes_on_known, *left_out_note(fold.data, layout)]


def run(args: argparse.Namespace) -> Report:
    """Read, evaluate and write, as the command line says.

    Raises:
        RefusalError: nothing can be evaluated, or the report cannot
            be written.
        OSError: a folder cannot be read.
    """
    cards = [[ModelCard.read(path / CARD_FILE) for path in fold.bundles] for fold in args.folds]
    models, settings = crossfit_models(cards), load_settings()
    make_folder(args.out)
    rows: list[PatchRow] = []
    notes = [
        f"Every patch was read by the models of its own fold, {len(args.folds)} folds in all.",
        *(printable(note) for note in args.note),
    ]
    for fold in args.folds:
        found, unread = fold_rows(fold, settings)
        rows += found
        notes += unread
    if not rows:
        raise RefusalError("No picture could be read.")
    return write_report(args, [fold.data for fold in args.folds], models, rows, notes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when the report was written, 1 otherwise."""
    return make_report(run, _parser().parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
