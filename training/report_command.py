"""What the commands that write a report have in common: options, refusals, the report's files."""

import argparse
import datetime
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from her2core import __version__
from her2core.common.files import write_atomically
from her2core.common.refusal import RefusalError
from her2core.common.text import printable
from her2core.evaluation.assessment import N_BOOT, evaluate, gallery, scored
from her2core.evaluation.report import (
    PATCH_FOLDER,
    REPORT_FILE,
    SCHEMA,
    PatchRow,
    Report,
    ReportModel,
)
from her2core.models.architectures import model_name
from her2core.models.bundles.card import ModelCard
from her2core.preprocessing.patches import Patch, PatchError, decode
from her2core.settings import UploadLimits
from her2core.training.data.datasets import LabelledFile
from training.console import run_command
from training.report_rows import UNREAD

HTML_FILE = "report.html"
# pictures of patches on which a network and the stain measurement lie far apart
_FAR_PICTURES = 12


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Where the report goes, what it is called, and how figures are resampled."""
    parser.add_argument("--out", required=True, type=Path, help="folder of the report")
    parser.add_argument("--title", default="", help="what to call the report")
    parser.add_argument(
        "--bootstrap", type=int, default=N_BOOT, metavar="N", help="resamples (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default 0)")


def make_report(make: Callable[[argparse.Namespace], Report], args: argparse.Namespace) -> int:
    """Make a report and say how it went.

    Returns:
        0 when a report was written of all files, 2 of some, 1 of none.
    """

    def run() -> int:
        if args.bootstrap < 100 or args.seed < 0:
            raise RefusalError("Use --bootstrap 100 or more and --seed 0 or more.")
        if (args.out / REPORT_FILE).exists():
            raise RefusalError(f"{args.out} already holds a report; choose another folder.")
        report = make(args)
        for line in summary(report):
            print(line)
        print(f"The report is in {args.out}.")
        return 2 if any(note.startswith(UNREAD) for note in report.notes) else 0

    return run_command(run, lambda: "Stopped; no report was written.")


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Around what writes into the report's folder.

    Raises:
        RefusalError: it cannot be written to.
    """
    try:
        yield
    except OSError as error:
        raise RefusalError(
            f"The report could not be written to {out}: {error.strerror or error}."
        ) from error


def make_folder(out: Path) -> None:
    """Make the report's folder, before all is read in vain.

    Raises:
        RefusalError: it cannot be made.
    """
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)


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


def write_report(
    args: argparse.Namespace,
    data: Sequence[Path],
    models: tuple[ReportModel, ...],
    rows: Sequence[PatchRow],
    notes: Sequence[str],
    files: Sequence[LabelledFile] = (),
    pictures: int = 0,
) -> Report:
    """Evaluate, and write the gallery, the figures, the HTML page and, last, report.json.

    Args:
        args: of `add_report_options`.
        data: folders of the patches.
        models: whose readings the rows hold.
        rows: of the patches.
        notes: what must be said beside the figures.
        files: the patches, for the gallery.
        pictures: how many of each model's errors and each pair's disagreements are shown.

    Raises:
        RefusalError: no patch got a score, or the report cannot be written.
    """
    if not scored(rows):
        raise RefusalError("No picture is assessable: none holds enough tumour cells.")
    report = Report(
        schema=SCHEMA,
        title=printable(args.title) or args.out.name,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        code_version=__version__,
        data=tuple(folder.name for folder in data),
        models=models,
        notes=tuple(notes),
        evaluation=evaluate(rows, models, args.bootstrap, args.seed),
        gallery=gallery(rows, models, pictures),
        rows=tuple(rows),
    )
    with _writing(args.out):
        _write(report, args.out, files)
    return report


def _write(report: Report, out: Path, files: Sequence[LabelledFile]) -> None:
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
