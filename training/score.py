"""Score patches from the command line, with the same code and models as the pages.

    python -m training.score INPUT --out scores.csv [--models cnn,densenet121]

One row per file and model: file, sha256, model, p_0, p_1plus, p_2plus, p_3plus, score, novelty,
status, message, backend. Novelty above 1 means that the patch is unlike what the model knows. A
file that cannot be read is a row with status "not scored", not an end; so is a picture that is left
out, as for its format. What else lies in the folder is named when the command ends.
A field with too few tumour cells for a score has the status "not assessable".
"""

import argparse
import hashlib
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from her2core.common.parallel import cores, mapped
from her2core.common.refusal import RefusalError
from her2core.common.text import cell_text
from her2core.models.assessable import NOT_ASSESSABLE, asks_for_cells, assess_tumour
from her2core.models.ood.novelty import warning
from her2core.models.verdict import Verdict
from her2core.preprocessing.bounded_decode import decode_bounded
from her2core.preprocessing.image_formats import format_names
from her2core.preprocessing.patches import Patch, PatchError, safe_name
from her2core.preprocessing.picture_files import Listing, left_out_lines, walk
from her2core.preprocessing.quality.assessment import assess
from her2core.scores import RESEARCH_NOTICE
from her2core.serving.stain_service import StainReader
from her2core.serving.workbench import Workbench
from her2core.settings import Settings, UploadLimits, load_settings
from training import score_command
from training.score_command import path_text
from training.score_table import (
    NOT_SCORED,
    SCORED,
    Entry,
    Row,
    scored_row,
    unscored_row,
    write_table,
)

_FILES_AHEAD = 8


def score_files(
    files: Iterable[tuple[str, Path]], workbench: Workbench, settings: Settings
) -> Iterator[list[Row]]:
    """The rows of each file, in the order of the files.

    Args:
        files: (name to write, path) pairs.
        workbench: reads the patches.
        settings: what a file may be, and what counts as stained where the models see hardly any
            staining, so that tumour cells are looked for.

    Raises:
        NoModelError: no model can be loaded.
    """
    stain = StainReader(settings.stain)
    state = workbench.wait()
    cards = workbench.cards()
    broken = [
        (model.architecture, model.sentence) for model in state.models if model.phase == "failed"
    ]
    seen: deque[tuple[Entry, Patch | None]] = deque()

    def read(file: tuple[str, Path]) -> tuple[Entry, Patch | None]:
        return _read(*file, settings.limits)

    def patches() -> Iterator[Patch]:
        # The next files are decoded and looked at while the networks read those before.
        for entry, patch in mapped(read, files, workers=cores(), ahead=_FILES_AHEAD):
            seen.append((entry, patch))
            if patch is not None:
                yield patch

    def rows_of(entry: Entry, patch: Patch | None, verdicts: Sequence[Verdict]) -> list[Row]:
        if patch is not None:
            cells = stain.reading(patch) if asks_for_cells(verdicts) else None
            found = assess_tumour(verdicts, cells, patch.square.size)
            strange = warning(verdicts)
            note = (
                replace(entry, message=f"{entry.message} {strange}".strip()) if strange else entry
            )
            rows = [scored_row(note, verdict, found) for verdict in verdicts]
        else:
            rows = [unscored_row(entry, card.model_id, entry.message) for card in cards.values()]
        return rows + [unscored_row(entry, name, sentence) for name, sentence in broken]

    for verdicts in workbench.score_batch(patches()):
        while seen[0][1] is None:
            yield rows_of(*seen.popleft(), ())
        yield rows_of(*seen.popleft(), verdicts)
    for entry, patch in seen:
        yield rows_of(entry, patch, ())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0 all scored, 2 some not, 1 nothing could be done, 130 stopped by the user.
    """
    args = _parser().parse_args(arguments)
    return score_command.exit_status(partial(_run, args), "Stopped; no scores were written.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.score",
        description="Score HER2 IHC patches with the models in use. " + RESEARCH_NOTICE,
        epilog="Exit status: 0 every picture was scored by every model; 2 some were not, or were "
        "left out (their rows say why); 1 nothing could be done; 130 stopped.",
    )
    score_command.add_inputs(
        parser, f"an image, or a folder searched with its subfolders for {format_names()} files"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="CSV", help="table to write (replaced at once)"
    )
    return parser


def _run(args: argparse.Namespace) -> int:
    target: Path = args.out
    found, root = score_command.list_inputs(walk, args, f"{format_names()} file")
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise RefusalError(
            f"“{path_text(target)}” cannot be written: name a file in a folder that exists."
        )
    pictures = (*found.pictures, *_missed(found))
    if any(file.resolve() == target.resolve() for file in pictures):
        raise RefusalError(f"“{path_text(target)}” is one of the images; name another file.")
    try:
        settings = load_settings()
        workbench = Workbench(settings, args.models, maps=False)
    except ValueError as error:
        raise RefusalError(str(error)) from None
    tables = _tables(root, found, workbench, settings)
    try:
        write_table(target, (row for rows in tables for row in rows))
    except OSError as error:
        raise RefusalError(
            f"“{path_text(target)}” cannot be written ({error.strerror}); choose another place."
        ) from None
    return _summary(tables, root, found, target)


def _missed(found: Listing) -> dict[Path, str]:
    """The left out pictures, each with a sentence on why; folders have no row."""
    return {
        one.path: f"“{safe_name(one.path.name)}” was left out: {one.reason}."
        for one in found.left_out
        if one.picture and not one.path.is_dir()
    }


def _tables(
    root: Path, found: Listing, workbench: Workbench, settings: Settings
) -> list[list[Row]]:
    """The rows of every file, with a progress bar where somebody watches."""
    print("Loading the models…", file=sys.stderr)
    named = [(file.relative_to(root).as_posix(), file) for file in found.pictures]
    scored = score_files(named, workbench, settings)
    tables = list(tqdm(scored, total=len(named), unit="file", disable=None))
    of_file = dict(zip(found.pictures, tables, strict=True))
    for path, message in _missed(found).items():
        entry = Entry(path.relative_to(root).as_posix(), "", message)
        models = dict.fromkeys(row["model"] for row in tables[0])
        of_file[path] = [unscored_row(entry, model, message) for model in models]
    return [of_file[path] for path in sorted(of_file)]


def _summary(tables: Sequence[Sequence[Row]], root: Path, found: Listing, target: Path) -> int:
    failed = [row for rows in tables for row in rows if row["status"] == NOT_SCORED]
    complete = sum(all(row["status"] == SCORED for row in rows) for rows in tables)
    without = sum(any(row["status"] == NOT_ASSESSABLE for row in rows) for rows in tables)
    note = f", {without} not assessable" if without else ""
    left = f"; {len(tables) - len(found.pictures)} left out" * (len(tables) > len(found.pictures))
    # those left out are named below, by reason
    known = set(map(cell_text, _missed(found).values()))
    status = score_command.sum_up(
        f"{complete} of {len(tables)} files scored by every model{note}{left}; "
        f"{path_text(target)} written.",
        [row["message"] for row in failed if row["message"] not in known],
        left_out_lines(found.left_out, root),
        len(failed),
        sum(map(len, tables)),
    )
    missed = any(one.picture for one in found.left_out)
    return score_command.SOME_NOT_SCORED if missed and not status else status


def _read(name: str, path: Path, limits: UploadLimits) -> tuple[Entry, Patch | None]:
    """Decode one file; a patch is returned only where it can be scored."""
    sha256 = ""
    try:
        if path.stat().st_size > limits.max_bytes:
            raise PatchError(
                f"“{safe_name(path.name)}” is larger than {limits.max_bytes / 2**20:,.6g} MiB; "
                "use a smaller region."
            )
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        patch = decode_bounded(data, path.name, limits)
    except PatchError as error:
        return Entry(name, sha256, str(error)), None
    except OSError as error:
        message = f"“{safe_name(path.name)}” cannot be opened ({error.strerror})."
        return Entry(name, sha256, message), None
    remarks = " ".join((*patch.notes, *assess(patch).warnings))
    return Entry(name, sha256, remarks), patch


if __name__ == "__main__":
    sys.exit(main())
