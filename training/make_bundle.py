"""Make a model bundle of trained weights: fit the temperature and the sets, measure, write.

    python -m training.make_bundle --arch cnn --weights RUN/best.weights.h5 --name "..." \\
        --validation DIR --test DIR --background DIR [--cores-test DIR] [--fields DIR] \\
        [--white-balance glass-1] --text CARD.toml --out DIR

The figures are measured on the weights as they are stored (float16), on patches no training saw.
"""

import argparse
import datetime
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from her2core import __version__
from her2core.common.commands import command_parser
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.bundle_files import write_files
from her2core.models.bundles.card import ModelCard, ModelInput, PartReading
from her2core.models.temperature import NEUTRAL
from her2core.preprocessing.glass import WhiteBalance
from her2core.training.assemble import (
    calibrate_card,
    choose_background,
    measure_cores,
    measure_set,
)
from her2core.training.data.datasets import DatasetError, PatchSet, load_patches
from her2core.training.data.duplicates import fingerprints
from her2core.training.data.layouts import read_layout
from her2core.training.data.real_fields import labelled_fields
from her2core.training.finish import CARD_TEXTS, read_card_text
from her2core.training.provenance import (
    PROVENANCE_FILE,
    provenance_from,
    provenance_of_start,
    to_bytes,
)
from her2core.training.start import load_start
from training.console import import_tensorflow, print_card, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when the bundle was written, 1 otherwise."""
    args = _parser().parse_args(arguments)
    return run_command(lambda: _run(args), lambda: "Stopped; no bundle was written.")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("training.make_bundle", __doc__)
    parser.add_argument("--arch", required=True, choices=tuple(ARCHITECTURES))
    parser.add_argument(
        "--weights", required=True, type=Path, help="best.weights.h5 of a run, or a bundle"
    )
    parser.add_argument(
        "--validation",
        required=True,
        type=Path,
        help="fits the temperature and prediction sets",
    )
    parser.add_argument("--test", required=True, type=Path, help="class folders no training saw")
    parser.add_argument("--background", required=True, type=Path, help="SHAP's background patches")
    parser.add_argument(
        "--fields",
        type=Path,
        help="real fields with fields.csv, which fit the temperature instead: each source counts "
        "the same (never train on them)",
    )
    parser.add_argument(
        "--white-balance", choices=get_args(WhiteBalance), help="as in the recipe of the training"
    )
    parser.add_argument(
        "--reading", choices=get_args(PartReading), help="how large squares are read in parts"
    )
    parser.add_argument(
        "--lift",
        type=float,
        default=0.0,
        metavar="B",
        help="add B times the grade to the logits: undoes a lean to low or high grades "
        "(default 0: none)",
    )
    parser.add_argument("--cores-test", type=Path, help="crops of held-out cores (crop_cores)")
    parser.add_argument(
        "--text", required=True, type=Path, help="TOML: name, training_data, licence, split, notes"
    )
    parser.add_argument("--demo", action="store_true", help="mark as a demonstration bundle")
    parser.add_argument("--out", required=True, type=Path, help="folder of the bundle")
    return parser


def _run(args: argparse.Namespace) -> int:
    import_tensorflow()
    from her2core.models.architectures.keras_model import build
    from her2core.models.bundles.bundle import round_weights

    model = build(ARCHITECTURES[args.arch])
    load_start(model, args.weights, args.arch)
    _lift(model, args.lift)
    draft = _draft(args)
    background = choose_background(_seen(args.background, args))
    validation = load_patches(read_layout(args.validation).files)
    fields = labelled_fields(args.fields) if args.fields else None
    provenance = provenance_of_start(args.weights).and_also(
        provenance_from(fingerprints(validation.images), validation.groups)
    )
    if fields is not None:  # their groups are whole sources, of which others may be tested
        provenance = provenance.and_also(provenance_from(fingerprints(fields.images), ()))
        fields = fields.prepared(args.white_balance)
    files, stored = round_weights(model, draft, args.out, background)
    card = calibrate_card(draft, stored, validation.prepared(args.white_balance), fields)
    metrics = measure_set(card, stored, _seen(args.test, args), "fresh synthetic patches")
    if args.cores_test is not None:
        metrics += measure_cores(stored, _seen(args.cores_test, args))
    card = replace(card, metrics=metrics, provenance=provenance.facts)
    extra = {PROVENANCE_FILE: to_bytes(provenance)}
    print_card(write_files(replace(files, card=card), extra), args.out)
    return 0


def _draft(args: argparse.Namespace) -> ModelCard:
    """The card without temperature and figures.

    Raises:
        DatasetError: its text cannot be used.
    """
    text = read_card_text(args.text)
    if missing := [name for name in CARD_TEXTS if not getattr(text, name)]:
        raise DatasetError(f"{args.text} lacks {', '.join(missing)}.")
    return ModelCard(
        name=text.name,
        architecture=args.arch,
        training_data=text.training_data,
        licence=text.licence,
        split=text.split,
        metrics=(),
        temperature=NEUTRAL,
        date=datetime.date.today().isoformat(),
        code_version=__version__,
        demo=args.demo,
        notes=text.notes,
        input=ModelInput(white_balance=args.white_balance, reading=args.reading),
    )


def _lift(model: Any, each: float) -> None:
    """Add `each` times the grade to the bias of the logits."""
    layer = model.get_layer("logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias + each * np.arange(len(bias), dtype=bias.dtype)])


def _seen(folder: Path, args: argparse.Namespace) -> PatchSet:
    """The patches of class folders as the network sees them."""
    return load_patches(read_layout(folder).files).prepared(args.white_balance)


if __name__ == "__main__":
    sys.exit(main())
