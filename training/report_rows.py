"""From labelled files to the rows of a report: what each model and the stain measurement say."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from her2core.common.text import printable
from her2core.evaluation.report import PatchRow
from her2core.evaluation.third_reader import row_of
from her2core.models.assessable import assess_tumour
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Patch, PatchError, decode_file
from her2core.preprocessing.picture_files import counted_reasons
from her2core.preprocessing.quality.assessment import assess
from her2core.serving.batches import read_in_batches
from her2core.serving.loaded_model import LoadedModel
from her2core.settings import UploadLimits
from her2core.stain.report import measure_membranes
from her2core.training.data.datasets import DatasetError, LabelledFile, seen_pixels
from her2core.training.data.duplicates import Fingerprints, fingerprints, joined
from her2core.training.data.layouts import Layout
from her2core.training.provenance import Provenance
from training.options import recognise

_NAMED_FILES = 10
UNREAD = "Files left out because they could not be read"


def read_test_part(source: Path, group_pattern: str | None) -> Layout:
    """A folder or table as it was recognised; only its test part where it brings a split.

    What was recognised, and what was left out, is printed.

    Raises:
        DatasetError: see `read_layout`; or there is a split without a test part, whose patches a
            model may have learnt from.
    """
    layout = recognise(source, group_pattern)
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
    files: Sequence[LabelledFile], models: Sequence[LoadedModel]
) -> tuple[tuple[PatchRow, ...], Fingerprints, list[str]]:
    """The row and the fingerprint of every readable file, and one sentence for each that is not.

    Decoded and read by the code that serves the pages, so that the same bytes give the same
    probabilities. Whether a patch is assessable, all the models together decide.
    """
    unread: list[str] = []
    on_the_way: deque[tuple[LabelledFile, Patch]] = deque()

    def patches() -> Iterator[Patch]:
        for file in tqdm(files, unit="patch", disable=None):
            try:
                patch = decode_file(file.path, UploadLimits())
            except PatchError as error:
                unread.append(str(error))
            else:
                on_the_way.append((file, patch))
                yield patch

    rows: list[PatchRow] = []
    prints: list[Fingerprints] = []
    for verdicts in read_in_batches(models, patches()):
        file, patch = on_the_way.popleft()
        rows.append(_row(file, patch, verdicts))
        prints.append(fingerprints(seen_pixels(patch)[None]))
    return tuple(rows), joined(prints), unread


def without_known(
    rows: Sequence[PatchRow], prints: Fingerprints, provenance: Mapping[str, Provenance]
) -> tuple[tuple[PatchRow, ...], list[str]]:
    """The rows that no model learnt from, and what must be said of those that one did.

    Where they knew all, the rows stay, and a sentence says what their figures are worth.

    Args:
        rows: of n patches.
        prints: of the same patches.
        provenance: what each model learnt from, under what people call it here.
    """
    notes, known = [], np.zeros(len(rows), bool)
    for title, its in provenance.items():
        of_model, said = its.among(title, prints, [row.group for row in rows])
        known |= of_model
        notes += said
    if not known.any():
        return tuple(rows), notes
    if known.all():
        notes.append(
            "Every patch is known to a model, so the figures are optimistic: they tell what it "
            "remembers, not how it reads patches of others."
        )
        return tuple(rows), notes
    notes.append(f"Known patches are left out of every figure: {int(known.sum())}.")
    return tuple(row for row, which in zip(rows, known, strict=True) if not which), notes


def _row(file: LabelledFile, patch: Patch, verdicts: Sequence[Verdict]) -> PatchRow:
    quality = assess(patch)
    # like the page, which is not told the scale either
    stain = measure_membranes(patch.field()).reading
    warnings = [finding.code for finding in quality.findings]
    if any(verdict.unfamiliar for verdict in verdicts):
        warnings.append("unfamiliar")
    return PatchRow(
        sha256=patch.sha256,
        file=patch.name,
        group=printable(file.group),
        label=int(file.label),
        probabilities={verdict.model_id: _rounded(verdict) for verdict in verdicts},
        warnings=tuple(warnings),
        tissue=round(quality.tissue_share, 4),
        stain=row_of(stain),
        assessable=assess_tumour(verdicts, stain, patch.square.size).assessable,
    )


def _rounded(verdict: Verdict) -> tuple[float, float, float, float]:
    # Seven digits are what a float32 carries.
    zero, one, two, three = (float(f"{value:.7g}") for value in verdict.probabilities)
    return zero, one, two, three
