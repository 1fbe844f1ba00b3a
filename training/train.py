"""Train one network on labelled patches; a stopped run goes on where it stopped.

    python -m training.train --arch cnn --data DIR --out BUNDLE [--config recipe.toml] [--resume]

reads DIR (docs/training.md says which layouts), splits it by group, trains, fits the temperature
and writes the finished model bundle with its card; checkpoints lie in BUNDLE.run beside it.

    python -m training.train --arch densenet121 --data DIR[=SHARE],DIR[=SHARE] --validation DIR \\
        --config recipe.toml --run FOLDER [--start WEIGHTS]

only trains: several folders are mixed by their shares (evenly where none is named; a class that the
drawn folder lacks comes from the first that has it), and FOLDER/best.weights.h5 holds the best
weights by validation loss. Started again, it goes on.
"""

import argparse
import errno
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from her2core.common.commands import command_parser
from her2core.common.files import write_atomically
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.bundle_files import refuse_taken
from her2core.models.bundles.card import CARD_FILE
from her2core.models.ood.novelty import LEAST_CALIBRATION
from her2core.settings import load_settings
from her2core.training.checkpoint import CheckpointError
from her2core.training.data.datasets import DatasetError
from her2core.training.data.prepare import Prepared, Request, prepare, record
from her2core.training.data.splits import VALIDATION
from her2core.training.experiment import mlflow_missing, write_experiment
from her2core.training.finish import finish_run, read_card_text
from her2core.training.fit import Run, build, fit
from her2core.training.loop import TrainingError
from her2core.training.machines import device_in_words, this_machine
from her2core.training.needs import free_disk, free_memory, needs, written_before
from her2core.training.progress import progress_bar
from her2core.training.provenance import PROVENANCE_FILE, Provenance, provenance_of_start, to_bytes
from her2core.training.recipe import Recipe, RecipeError, check, read_recipe
from her2core.training.start import files_of_start, provenance_here, without_known
from training.console import import_tensorflow, print_card, run_command, sentence_of
from training.options import add_data_or_reviews, add_group_pattern
from training.reviewed import TABLE, reviewed_here, write_reviewed


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "training.train",
        __doc__,
        epilog="Layouts and several machines: docs/training.md; recipe entries: docs/recipe.md. "
        "Exit status: 0 done; 1 not done, with the reason in one sentence; 130 stopped.",
    )
    parser.add_argument("--arch", required=True, choices=tuple(ARCHITECTURES))
    add_data_or_reviews(parser, "folder or CSV table; or DIR[=SHARE] joined by commas")
    parser.add_argument("--out", type=Path, help="folder of the bundle to write; must be new")
    parser.add_argument("--config", type=Path, help="recipe TOML; the study's recipe without one")
    parser.add_argument("--run", type=Path, help="folder of the run (default: OUT.run)")
    parser.add_argument("--resume", action="store_true", help="go on with an unfinished run")
    parser.add_argument(
        "--validation", type=Path, help="validation patches of their own (default: split off)"
    )
    add_group_pattern(parser)
    parser.add_argument(
        "--validation-share", type=float, default=0.15, help="of the patches (default 0.15)"
    )
    parser.add_argument(
        "--test-share",
        type=float,
        default=0.15,
        help="of the patches, where the data has no test part (default 0.15)",
    )
    parser.add_argument("--seed", type=int, help="of split and training (default 0, the recipe's)")
    parser.add_argument("--text", type=Path, help="TOML for the card: name, licence, notes ...")
    parser.add_argument("--start", type=Path, help="weights.h5 of a stage, or a bundle")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns 0 when it ended well, 1 with a sentence otherwise."""
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.out is None and (args.run is None or args.validation is None):
        parser.error("name --out for a bundle, or --run and --validation for a training alone")
    folder: Path = args.run or args.out.with_name(f"{args.out.name}.run")
    return run_command(
        lambda: _train(args, folder),
        lambda: _stopped(folder, args.out),
        of_system=lambda error: _said(error, folder),
    )


def _train(args: argparse.Namespace, folder: Path) -> int:
    if args.out is not None:
        refuse_taken(args.out)
    recipe = _recipe(args)
    text = read_card_text(args.text)
    if args.reviews:
        args.data = str(_reviewed(args, folder))
        args.group_pattern = None
    request = _request(args)
    import_tensorflow()
    machines = this_machine()
    device = device_in_words()
    print(f"Trains on {device}.", flush=True)
    if warning := mlflow_missing():
        print(warning, file=sys.stderr)
    run = Run(folder).of_machine(machines)
    if args.out is not None and run.started and not args.resume:
        raise CheckpointError(
            f"{run.folder} holds an unfinished run; --resume goes on with it, or name another "
            "folder by --run."
        )
    run.folder.mkdir(parents=True, exist_ok=True)  # better now than after the first epoch
    if args.start is not None and not run.state.is_file():
        # weights that do not fit are said before patches are read
        if args.start.is_dir():
            files_of_start(args.start, args.arch)
        else:
            build(recipe, args.start)
    before = provenance_of_start(args.start)
    prepared = _prepared(request, recipe, before)
    record(prepared, run.folder, run.started)
    provenance = before.and_also(provenance_here(prepared, recipe.size))
    write_atomically(run.folder / PROVENANCE_FILE, to_bytes(provenance))
    if recipe.batch > len(prepared.mixture):
        print(
            f"A batch of {recipe.batch} is more than the {len(prepared.mixture)} training patches: "
            "some come several times in each."
        )
    _check_needs(recipe, len(prepared.files), run)
    fit(recipe, prepared.mixture, prepared.validation, folder, args.start, machines)
    print(f"Best weights: {run.best}")
    card = None
    if args.out is not None and machines.number == 0:
        card = finish_run(recipe, prepared, provenance, run, text, args.out, args.start)
        print_card(card, args.out)
        if len(prepared.files_of(VALIDATION)) >= LEAST_CALIBRATION:
            # a process of its own: memory for it comes after that of the training, not on top
            command = [sys.executable, "-m", "training.check_maps", "--bundle", str(args.out)]
            subprocess.run(command, check=False)
    write_experiment(run, prepared, device, card)
    return 0


def _reviewed(args: argparse.Namespace, folder: Path) -> Path:
    """The table of the reviewed patches: the one that a run which goes on began with, or a new one.

    Raises:
        StoreError: the review store cannot be read.
        AdaptError: the group pattern is none.
        OSError: the folder cannot be written.
    """
    table = folder / "reviews" / TABLE
    goes_on = args.resume or Run(folder).started
    if not (goes_on and table.is_file()):
        write_reviewed(reviewed_here(load_settings(), args.group_pattern or ""), table)
    return table


def _check_needs(recipe: Recipe, patches: int, run: Run) -> None:
    """Say what memory and disk are needed, and refuse where the disk is too small."""
    needed, memory, disk = needs(recipe, patches), free_memory(), free_disk(run.folder)
    disk += written_before(run.folder)
    print(needed.said(memory, disk), flush=True)
    if needed.disk > disk:
        raise TrainingError(
            f"The disk of {run.folder} is too small for this training; free some space, or name "
            "another folder by --run and --out."
        )
    if memory is not None and needed.memory > memory:
        print(
            "WARNING: that may be more memory than there is, and the system would end the "
            f"training; name a smaller batch in the recipe (now {recipe.batch}).",
            file=sys.stderr,
        )


def _recipe(args: argparse.Namespace) -> Recipe:
    recipe = read_recipe(args.config, args.arch) if args.config else Recipe(args.arch)
    if recipe.architecture != args.arch:
        raise RecipeError(f"{args.config} is a recipe for {recipe.architecture}.")
    if args.start is not None and not args.start.exists():
        raise RecipeError(f"There is no file or bundle {args.start}.")
    if args.seed is not None:
        recipe = replace(recipe, seed=args.seed)
        check(recipe)
    return recipe


def _request(args: argparse.Namespace) -> Request:
    parts = [part.rpartition("=") for part in args.data.split(",") if part]
    try:
        sources = tuple(
            (Path(name), float(share)) if mark else (Path(share), 1.0)
            for name, mark, share in parts
        )
    except ValueError:
        raise DatasetError(f"--data {args.data}: a share must be a number.") from None
    if not sources or min(share for _, share in sources) <= 0:
        raise DatasetError("--data needs a folder, and shares above 0.")
    for path in (*(path for path, _ in sources), args.validation):
        if path is not None and not path.exists():
            raise DatasetError(f"There is no folder {path}.")
    alone = args.out is None  # all patches but the validation folder are trained on
    return Request(
        sources,
        args.validation,
        args.group_pattern,
        validation_share=args.validation_share,
        test_share=0.0 if alone else args.test_share,
        seed=args.seed or 0,
    )


def _prepared(request: Request, recipe: Recipe, before: Provenance) -> Prepared:
    with progress_bar("reading", "patches") as on_progress:
        prepared = without_known(prepare(request, recipe.size, on_progress), before)
    for statement in prepared.statements:
        print(f"Recognised {statement}", flush=True)
    for remark in prepared.remarks:
        print(remark, file=sys.stderr, flush=True)
    print(prepared.describe_split(), flush=True)
    for warning in prepared.warnings:
        print(f"WARNING: {warning}", file=sys.stderr, flush=True)
    return prepared


def _stopped(folder: Path, out: Path | None) -> str:
    if out is not None and (out / CARD_FILE).is_file():
        return f"Stopped; {out} is finished, but its heat maps are not checked."
    return f"Stopped; {_goes_on(folder)}"


def _goes_on(folder: Path) -> str:
    """What starting again does: the end of a sentence."""
    if Run(folder).started:
        return "the same command with --resume goes on at the last epoch."
    return "no epoch was finished, so the same command begins again."


def _said(error: OSError, folder: Path) -> str:
    """One sentence for what the system refused."""
    where = error.filename or folder
    # HDF5 reports the reason in its text only
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
        return (
            f"The disk is full: {where} could not be written. Free some space; {_goes_on(folder)}"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where} may not be written to; choose another folder or change its permissions."
    return sentence_of(error)


if __name__ == "__main__":
    sys.exit(main())
