"""From labelled files to the rows of a report: what each model and the stain measurement say."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from her2core.common.text import printable
from her2core.evaluation.report import PatchRow
from her2core.evaluation.third_reader import row_of
from her2core.models.assessable import assess_tumour
from her2core.models.bundles.card import ModelInput
from her2core.models.ood.novelty import Novelty
from her2core.models.reading_grid import squares_read, strongest
from her2core.models.verdict import UNFAMILIAR, verdict_of
from her2core.preprocessing.patches import Patch, PatchError, decode
from her2core.preprocessing.picture_files import counted_reasons
from her2core.preprocessing.quality.assessment import QualityReport, assess
from her2core.settings import UploadLimits
from her2core.stain.reading import StainReading
from her2core.stain.report import measure_membranes
from her2core.training.data.datasets import DatasetError, LabelledFile, seen_pixels
from her2core.training.data.duplicates import Fingerprints, fingerprints, joined
from her2core.training.data.layouts import Layout, read_layout
from training.console import import_tensorflow

if TYPE_CHECKING:
    from her2core.models.backends.tensorflow_backend import Classifier

_BATCH = 16
_NAMED_FILES = 10
UNREAD = "Files left out because they could not be read"


@dataclass(frozen=True)
class _Read:
    """One labelled patch on its way through the models."""

    file: LabelledFile
    patch: Patch
    quality: QualityReport
    stain: StainReading


def read_test_part(source: Path, group_pattern: str | None) -> Layout:
    """A folder or table as it was recognised; only its test part where it brings a split.

    What was recognised, and what was left out, is printed.

    Raises:
        DatasetError: see `read_layout`; or there is a split without a test part, whose patches a
            model may have learnt from.
    """
    layout = read_layout(source, group_pattern)
    for line in (layout.statement, *layout.remarks):
        print(line, file=sys.stderr)
    parts = {file.part for file in layout.files} - {""}
    if not parts:
        return layout
    if "test" not in parts:
        raise DatasetError(
            f"{source} brings a split of its own without a test part ({', '.join(sorted(parts))}); "
            "name the folder of one part, or a table without a part column, to evaluate it as it "
            "is."
        )
    return replace(layout, files=tuple(file for file in layout.files if file.part == "test"))


def listed(source: Path, group_pattern: str | None) -> list[LabelledFile]:
    """The patches of `read_test_part`."""
    return list(read_test_part(source, group_pattern).files)


def left_out_note(source: Path, layout: Layout) -> list[str]:
    """What a report says of the files left out, by count and reason; their names it leaves out."""
    if not layout.left_out:
        return []
    return [f"Left out of {printable(source.name)}: {counted_reasons(layout.left_out)}."]


def file_notes(rows: Sequence[PatchRow], unread: Sequence[str]) -> tuple[str, ...]:
    """What a reader of the report must know of the files."""
    notes = []
    if unread:
        some = " ".join(unread[:_NAMED_FILES])
        more = len(unread) - _NAMED_FILES
        rest = f" And {more} more." if more > 0 else ""
        notes.append(f"{UNREAD}: {len(unread)}. {some}{rest}")
    labels: dict[str, set[int]] = {}
    for row in rows:
        labels.setdefault(row.sha256, set()).add(row.label)
    repeated = len(rows) - len(labels)
    if repeated:
        notes.append(f"Files with the very same bytes as another one: {repeated}.")
    torn = sum(len(found) > 1 for found in labels.values())
    if torn:
        notes.append(f"Pictures filed under more than one class: {torn}; their labels cannot hold.")
    return tuple(notes)


def read_rows(
    files: Sequence[LabelledFile],
    classifiers: Sequence[Classifier],
    known: Mapping[str, Novelty | None] | None = None,
) -> tuple[tuple[PatchRow, ...], Fingerprints, list[str]]:
    """The row and the fingerprint of every readable file, and one sentence for each that is not.

    Decoded and read by the code that serves the pages, so that the same bytes give the same
    probabilities. `known` holds what tells a model's unfamiliar inputs, by model id: such a patch
    has the warning "unfamiliar". Whether a patch is assessable, all the models together decide.
    """
    known = known or {}
    rows: list[PatchRow] = []
    prints: list[Fingerprints] = []
    unread: list[str] = []
    batch: list[_Read] = []
    for file in tqdm(files, unit="patch", disable=None):
        try:
            patch = decode(file.path.read_bytes(), file.path.name, UploadLimits())
        except PatchError as error:
            unread.append(str(error))
            continue
        except OSError as error:
            unread.append(f"“{printable(file.path.name)}” cannot be opened ({error.strerror}).")
            continue
        # like the page, which is not told the scale either
        stain = measure_membranes(patch.field()).reading
        prints.append(fingerprints(seen_pixels(patch)[None]))
        batch.append(_Read(file, patch, assess(patch), stain))
        if len(batch) == _BATCH:
            rows += _scored(batch, classifiers, known)
            batch = []
    if batch:
        rows += _scored(batch, classifiers, known)
    return tuple(rows), joined(prints), unread


def loaded(folder: Path) -> Classifier:
    import_tensorflow()
    from her2core.models.backends.tensorflow_backend import Classifier
    from her2core.models.bundles.bundle import load_bundle

    return Classifier(load_bundle(folder))


def _scored(
    batch: Sequence[_Read],
    classifiers: Sequence[Classifier],
    known: Mapping[str, Novelty | None],
) -> Iterator[PatchRow]:
    said: dict[str, npt.NDArray[np.float32]] = {}
    strange = np.zeros(len(batch), np.bool_)
    for model in classifiers:
        views = [_views(read.patch, model.bundle.card.input) for read in batch]
        firsts = [0, *accumulate(len(parts) for parts in views)]
        everything = np.concatenate(views)
        answers, maps, _ = model.read(everything)
        chosen = [first + strongest(answers[first:end]) for first, end in pairwise(firsts)]
        pixels, features = everything[chosen], maps[chosen]
        said[model.model_id] = answers[chosen]
        novelty = known.get(model.model_id)
        if novelty is not None:
            strange |= novelty.measure(pixels, features) > UNFAMILIAR
    for index, read in enumerate(batch):
        warnings = [f.code for f in read.quality.findings]
        warnings += ["unfamiliar"] if strange[index] else []
        verdicts = [
            verdict_of(model.bundle.card, said[model.model_id][index], "") for model in classifiers
        ]
        tumour = assess_tumour(verdicts, read.stain, read.patch.square.size)
        yield PatchRow(
            sha256=read.patch.sha256,
            file=read.patch.name,
            group=printable(read.file.group),
            label=int(read.file.label),
            probabilities={key: _four(rows[index]) for key, rows in said.items()},
            warnings=tuple(warnings),
            tissue=round(read.quality.tissue_share, 4),
            stain=row_of(read.stain),
            assessable=tumour.assessable,
        )


def _views(patch: Patch, wanted: ModelInput) -> npt.NDArray[np.float32]:
    """What a model reads of a patch, as the page has it read: (k, 224, 224, 3)."""
    squares = squares_read(patch, wanted.reading)
    return np.stack([patch.with_square(square).pixels(wanted.white_balance) for square in squares])


def _four(row: npt.NDArray[np.float32]) -> tuple[float, float, float, float]:
    # Seven digits are what a float32 carries.
    zero, one, two, three = (float(f"{value:.7g}") for value in row)
    return zero, one, two, three
