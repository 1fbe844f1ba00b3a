"""Evaluate model bundles on labelled patches: report.json, pictures and one HTML page.

    python -m training.evaluate --data DIR[,DIR] --bundles BUNDLE[,BUNDLE] --out REPORT

DIR is read in every layout that training reads; where it brings a split of its own, only its test
part is evaluated. The `group` column of truth.csv or of the table, or --group-pattern, names the
patient, slide or core of each patch. Figures come with 95 % intervals resampled by group.
The Evaluation page lists reports in data/reports and in HER2_HOME/reports.
"""

import argparse
import datetime
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from her2core import __version__
from her2core.common.files import write_atomically
from her2core.common.text import printable
from her2core.evaluation.assessment import N_BOOT, evaluate, gallery, scored
from her2core.evaluation.report import (
    PATCH_FOLDER,
    REPORT_FILE,
    SCHEMA,
    Report,
    ReportModel,
)
from her2core.models.architectures import model_name
from her2core.models.bundles.card import CARD_FILE, BundleError, ModelCard
from her2core.models.ood.novelty_file import load_novelty
from her2core.preprocessing.patches import Patch, PatchError, decode
from her2core.settings import UploadLimits
from her2core.training.data.datasets import DatasetError, LabelledFile
from her2core.training.provenance import provenance_of
from training.console import STOPPED, ends_on_interrupt
from training.known_patches import without_known
from training.report_rows import (
    UNREAD,
    file_notes,
    left_out_note,
    loaded,
    read_rows,
    read_test_part,
)

HTML_FILE = "report.html"
_STOPPED = "Stopped; no report was written."
# pictures of patches on which a network and the stain measurement lie far apart
_FAR_PICTURES = 12


class EvaluationError(ValueError):
    """Nothing can be evaluated; str(error) is one sentence on why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 when a report was written of all files, 2 of some, 1 of none."""
    return run_command(run, _parser().parse_args(arguments))


def run_command(make: Callable[[argparse.Namespace], Report], args: argparse.Namespace) -> int:
    """Make a report and say how it went; returns the exit status that `main` names."""
    try:
        with ends_on_interrupt(lambda: _STOPPED):
            report = make(args)
    except KeyboardInterrupt:
        print(_STOPPED, file=sys.stderr)
        return STOPPED
    except (EvaluationError, DatasetError, BundleError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        what = error.filename or "A file"
        print(f"{what} could not be read: {error.strerror or error}.", file=sys.stderr)
        return 1
    for line in summary(report):
        print(line)
    print(f"The report is in {args.out}.")
    return 2 if any(note.startswith(UNREAD) for note in report.notes) else 0


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Around what writes into the report's folder.

    Raises:
        EvaluationError: it cannot be written to.
    """
    try:
        yield
    except OSError as error:
        raise EvaluationError(
            f"The report could not be written to {out}: {error.strerror or error}."
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data", required=True, help="folders of labelled patches, by commas")
    parser.add_argument(
        "--group-pattern",
        help="regular expression with one group, which finds patient, slide or core in a file name",
    )
    parser.add_argument(
        "--bundles", "--models", required=True, dest="models", help="bundle folders, with commas"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder of the report")
    parser.add_argument("--title", default="", help="what to call the report")
    parser.add_argument(
        "--gallery",
        type=int,
        default=12,
        metavar="N",
        help="pictures of the N worst errors of each model and N largest disagreements (default "
        "%(default)s; 0 writes no image, for patches that may not be passed on)",
    )
    parser.add_argument(
        "--bootstrap", type=int, default=N_BOOT, metavar="N", help="resamples (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default 0)")
    return parser


def run(args: argparse.Namespace) -> Report:
    """Read, evaluate and write, as the command line says.

    Raises:
        EvaluationError, DatasetError, BundleError: nothing can be evaluated, or the report cannot
            be written.
        OSError: a folder cannot be read.
    """
    check_arguments(args)
    if args.gallery < 0:
        raise EvaluationError("Use --gallery 0 or more.")
    folders = [Path(part) for part in args.data.split(",") if part]
    if not folders:
        raise EvaluationError("Name at least one folder of labelled patches with --data.")
    layouts = [read_test_part(folder, args.group_pattern) for folder in folders]
    files = [file for layout in layouts for file in layout.files]
    bundles = [Path(part) for part in args.models.split(",") if part]
    cards = [ModelCard.read(folder / CARD_FILE) for folder in bundles]
    if not cards:
        raise EvaluationError("Name at least one bundle folder with --bundles.")
    if len({card.model_id for card in cards}) < len(cards):
        raise EvaluationError("Two of the bundles hold the same weights; name each model once.")
    with writing(args.out):
        args.out.mkdir(parents=True, exist_ok=True)
    models = report_models(cards)
    known = {c.model_id: load_novelty(folder, c) for folder, c in zip(bundles, cards, strict=True)}
    provenance = {m.title: provenance_of(folder) for folder, m in zip(bundles, models, strict=True)}
    rows, prints, unread = read_rows(files, [loaded(folder) for folder in bundles], known)
    if not rows:
        raise EvaluationError(f"No picture could be read. {unread[0]}")
    rows, notes_on_known = without_known(rows, prints, provenance)
    if not scored(rows):
        raise EvaluationError("No picture is assessable: none holds enough tumour cells.")
    report = Report(
        schema=SCHEMA,
        title=printable(args.title) or args.out.name,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        code_version=__version__,
        data=tuple(folder.name for folder in folders),
        models=models,
        notes=(
            *file_notes(rows, unread),
            *notes_on_known,
            *(
                note
                for folder, layout in zip(folders, layouts, strict=True)
                for note in left_out_note(folder, layout)
            ),
        ),
        evaluation=evaluate(rows, models, args.bootstrap, args.seed),
        gallery=gallery(rows, models, args.gallery),
        rows=rows,
    )
    with writing(args.out):
        write(report, args.out, files)
    return report


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse, before anything is read, what no report can be made with.

    Raises:
        EvaluationError: too few resamples, an impossible seed, or a report is there already.
    """
    if args.bootstrap < 100 or args.seed < 0:
        raise EvaluationError("Use --bootstrap 100 or more and --seed 0 or more.")
    if (args.out / REPORT_FILE).exists():
        raise EvaluationError(f"{args.out} already holds a report; choose another folder.")


def report_models(cards: Sequence[ModelCard]) -> tuple[ReportModel, ...]:
    """What a report says of each model; two of one architecture are told apart by their id."""
    often = Counter(card.architecture for card in cards)

    def title(card: ModelCard) -> str:
        name = model_name(card.architecture)
        return name if often[card.architecture] == 1 else f"{name} {card.weights_sha256[:6]}"

    return tuple(
        ReportModel(
            key=card.model_id,
            title=title(card),
            architecture=card.architecture,
            name=card.name,
            demo=card.demo,
            temperature=card.temperature,
            training_data=card.training_data,
            licence=card.licence,
            date=card.date,
            conformal=card.conformal,
            measured=card.measured_coverage,
        )
        for card in cards
    )


def write(report: Report, out: Path, files: Sequence[LabelledFile]) -> None:
    """Write the gallery's pictures, the figures, the HTML page and, last, report.json.

    Raises:
        OSError: something cannot be written; report.json is then not there either.
    """
    from her2core.charts.pictures import report_pictures
    from her2core.charts.report_page import report_html

    wanted = {entry.sha256 for entry in report.gallery}
    third = report.evaluation.third_reader
    if wanted and third is not None:
        for difference in third.differences:
            wanted.update(difference.patches[:_FAR_PICTURES])
    if wanted:
        (out / PATCH_FOLDER).mkdir(exist_ok=True)
        for sha256, patch in _patches(wanted, files):
            # The square the models saw, from pixels alone: no metadata of the file comes along.
            picture = Image.fromarray(patch.field())
            picture.save(out / PATCH_FOLDER / f"{sha256}.png", "PNG")
    for name, png in report_pictures(report):
        write_atomically(out / name, png)
    write_atomically(out / HTML_FILE, report_html(report, out / PATCH_FOLDER).encode())
    write_atomically(out / REPORT_FILE, report.to_json().encode())


def _patches(wanted: set[str], files: Sequence[LabelledFile]) -> Iterator[tuple[str, Patch]]:
    """The patches of these sha256 sums, each once."""
    left = set(wanted)
    for file in files:
        if not left:
            return
        try:
            data = file.path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            if sha256 in left:
                left.remove(sha256)
                yield sha256, decode(data, file.path.name, UploadLimits())
        except (OSError, PatchError):
            continue


def summary(report: Report) -> Iterator[str]:
    """The main figures, one line for each reader, and what must be said beside them."""
    from her2core.charts.words import figure_text, not_assessable_lines, third_reader_lines

    found = report.evaluation
    yield f"{report.title}: {found.n} patches of {found.groups} groups."
    yield from not_assessable_lines(found)
    for reader in found.readers:
        parts = []
        for name, words in (("accuracy", "exact"), ("kappa", "kappa"), ("macro_f1", "macro F1")):
            figure = reader.figure(name)
            if figure is not None:
                parts.append(f"{words} {figure_text(figure.value)}")
        yield f"{reader.title}: {', '.join(parts)}"
    yield from third_reader_lines(found)
    for note in (found.caution, *report.notes):
        if note:
            yield note


if __name__ == "__main__":
    sys.exit(main())
