"""Real tissue from elsewhere, source by source: `python -m benchmarks.external --data FOLDER`.

FOLDER holds pictures and fields.csv (her2core.evaluation.fields). Every field is read as a page
reads it: its centred square, by both networks and by the stain measurement. Writes external.json
and the tables of docs/external.md and README.md: figures only, no picture and no name of one.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.external_masks import membrane_dice
from benchmarks.figure import ROOT
from her2core.charts.external_table import (
    AGREED,
    ALL_SOURCES,
    MEAN,
    STAIN,
    page_lines,
    readme_lines,
)
from her2core.common.commands import command_parser
from her2core.common.files import write_atomically
from her2core.common.refusal import RefusalError
from her2core.evaluation.fields import ExternalDataError, Field, read_fields
from her2core.evaluation.figures import Sample, measure
from her2core.evaluation.intervals import Interval, group_codes, weight_blocks
from her2core.models.assessable import assess_tumour
from her2core.models.ood.novelty import BANDS, familiarity
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Patch, PatchError, decode_file
from her2core.serving.workbench import Workbench
from her2core.settings import load_settings
from her2core.stain.reading import StainReading
from her2core.stain.report import measure_membranes
from training.figures import with_block

ALL, FITTING = "all", "label fits the picture"
FIGURES = ("accuracy", "within_one", "macro_f1", "kappa", "ece")
_N_BOOT = 1000


@dataclass(frozen=True, eq=False)
class Answer:
    """What all readers said of one field, and whether it holds enough tumour for a score."""

    field: Field
    verdicts: tuple[Verdict, ...]
    stain: StainReading
    assessable: bool = True


@dataclass(frozen=True)
class Row:
    """One reader on one source.

    Attributes:
        source, reader, selection: what the figures are of.
        fields: pictures of the source, labelled or not.
        labelled: those with a label, of which `scored` got a score.
        figures: by name, over the scored ones; empty where none is.
        exact_of_all: share of the labelled whose label is the reader's most probable score, given
            or not; None without a label, and where scores are no probabilities of one reader.
        far: 0 called 3+ or the reverse.
        unfamiliar: share of the fields that the reader calls unlike what it knows; None: it cannot.
        without_score: share of the fields that get no score: not assessable, or the networks
            differ, or, from the stain measurement, for its own reasons.
    """

    source: str
    reader: str
    selection: str
    fields: int
    labelled: int
    scored: int
    figures: dict[str, Interval]
    exact_of_all: float | None
    far: int
    unfamiliar: float | None
    without_score: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, print. Returns 0 when it was done, 1 with one sentence otherwise."""
    parser = command_parser("benchmarks.external", __doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with fields.csv")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "external.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "external.md")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        fields = read_fields(options.data)
        patches = [_patch(field) for field in fields]
        answers, models = read_all(fields, patches)
        dice, masks = membrane_dice(fields, patches)
        written = {
            "models": models,
            "membrane_dice": dice,
            "masks": masks,
            "distances": distances(answers),
            "rows": [asdict(row) for row in rows_of(answers)],
        }
        text = json.dumps(written, indent=1, ensure_ascii=False)
        write_atomically(options.out, f"{text}\n".encode())
        lines = page_lines(written)
        pages = ((options.page, lines), (options.readme, readme_lines(written)))
        for page, text in [(page, with_block(page, "\n".join(lines))) for page, lines in pages]:
            write_atomically(page, text.encode())
    except RefusalError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename} cannot be written ({error.strerror}).", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def read_all(fields: Sequence[Field], patches: Sequence[Patch]) -> tuple[list[Answer], list[str]]:
    """What every reader says of every field, and the names of the models.

    Raises:
        NoModelError: no model can be loaded.
    """
    workbench = Workbench(load_settings(), maps=False)
    workbench.wait()
    verdicts = list(workbench.score_batch(iter(patches)))
    # a page is not told the scale either
    stain = [measure_membranes(patch.field()).reading for patch in patches]
    names = [card.model_id for card in workbench.cards().values()]
    assessable = [
        assess_tumour(said, cells, patch.square.size).assessable
        for said, cells, patch in zip(verdicts, stain, patches, strict=True)
    ]
    answers = [Answer(*each) for each in zip(fields, verdicts, stain, assessable, strict=True)]
    return answers, names


def _patch(field: Field) -> Patch:
    try:
        return decode_file(field.path, load_settings().limits)
    except PatchError as error:
        raise ExternalDataError(f"{field.path} cannot be measured: {error}") from error


def rows_of(answers: Sequence[Answer]) -> list[Row]:
    """A row for each source, reader and selection, and the mean over the labelled sources."""
    sources = list(dict.fromkeys(answer.field.source for answer in answers))
    readers = _readers(answers)
    rows = []
    for selection in (ALL, FITTING):
        for reader in readers:
            of_sources = [
                _row(source, reader, selection, part)
                for source in sources
                if (part := _selected(answers, source, selection))
            ]
            labelled = [row for row in of_sources if row.scored]
            rows += of_sources
            if len(labelled) > 1:
                rows.append(_mean(reader, selection, labelled))
    return rows


def _selected(answers: Sequence[Answer], source: str, selection: str) -> list[Answer]:
    """The source's answers; of a source where nobody said which labels fit, none is "fitting"."""
    return [
        answer
        for answer in answers
        if answer.field.source == source and (selection == ALL or answer.field.fits)
    ]


def _readers(answers: Sequence[Answer]) -> list[str]:
    networks = list(dict.fromkeys(v.architecture for answer in answers for v in answer.verdicts))
    return [*networks, *([MEAN, AGREED] if len(networks) > 1 else []), STAIN]


def distances(answers: Sequence[Answer]) -> list[dict[str, object]]:
    """How often the networks were right by how unfamiliar the field was, over scored fields."""
    rows: list[dict[str, object]] = []
    for band in BANDS:
        gaps = [
            abs(int(verdict.score) - answer.field.label)
            for answer in answers
            if answer.field.label is not None and answer.assessable
            if (found := familiarity(answer.verdicts)) is not None and found.band == band
            for verdict in answer.verdicts
        ]
        exact, near = (sum(gap <= most for gap in gaps) for most in (0, 1))
        rows.append({"band": band, "readings": len(gaps), "exact": exact, "within_one": near})
    return rows


def _row(source: str, reader: str, selection: str, answers: Sequence[Answer]) -> Row:
    said = [_probabilities(answer, reader) for answer in answers]
    scored = [
        (answer, chances)
        for answer, chances in zip(answers, said, strict=True)
        if answer.field.label is not None and chances is not None
    ]
    strange = [_unfamiliar(answer, reader) for answer in answers]
    labels = np.array([answer.field.label for answer, _ in scored], np.int64)
    chances = np.array([row for _, row in scored], np.float64).reshape(-1, 4)
    return Row(
        source,
        reader,
        selection,
        fields=len(answers),
        labelled=sum(answer.field.label is not None for answer in answers),
        scored=len(scored),
        figures=_figures(labels, chances, [answer for answer, _ in scored], reader),
        exact_of_all=_exact_of_all(answers, reader),
        far=int((np.abs(labels - chances.argmax(axis=1)) == 3).sum()) if len(labels) else 0,
        unfamiliar=None if None in strange else round(float(np.mean(np.array(strange))), 4),
        without_score=round(sum(row is None for row in said) / len(said), 4),
    )


def _probabilities(answer: Answer, reader: str) -> tuple[float, ...] | None:
    """What a reader gives the four scores, or None where it gives no score."""
    if reader == STAIN:
        score = answer.stain.score
        return None if score is None else tuple(float(k == score) for k in range(4))
    differ = reader == AGREED and len({verdict.score for verdict in answer.verdicts}) > 1
    return None if differ or not answer.assessable else _said(answer, reader)


def _said(answer: Answer, reader: str) -> tuple[float, ...]:
    chosen = [v for v in answer.verdicts if reader in (v.architecture, MEAN, AGREED)]
    return tuple(np.mean([v.probabilities for v in chosen], axis=0).tolist())


def _exact_of_all(answers: Sequence[Answer], reader: str) -> float | None:
    labelled = [answer for answer in answers if answer.field.label is not None]
    if reader in (STAIN, AGREED) or not labelled:
        return None
    right = [int(np.argmax(_said(a, reader))) == a.field.label for a in labelled]
    return round(float(np.mean(right)), 4)


def _unfamiliar(answer: Answer, reader: str) -> bool | None:
    chosen = [v for v in answer.verdicts if reader in (v.architecture, MEAN, AGREED)]
    known = [v.unfamiliar for v in chosen if v.novelty is not None]
    return any(known) if known else None


def _figures(
    labels: npt.NDArray[np.int64],
    chances: npt.NDArray[np.float64],
    answers: Sequence[Answer],
    reader: str,
) -> dict[str, Interval]:
    """The figures over scored fields, resampled by group."""
    if not len(labels):
        return {}
    codes = group_codes([answer.field.group or answer.field.path for answer in answers])
    measured = measure(Sample(labels, chances, None, codes), weight_blocks(codes, _N_BOOT, 0))
    wanted = [name for name in FIGURES if not (reader == STAIN and name == "ece")]
    found = {each.name: each.value for each in measured if not each.of}
    return {name: found[name] for name in wanted}


def _mean(reader: str, selection: str, rows: Sequence[Row]) -> Row:
    """The mean over sources, each counting the same however many fields it has."""
    figures = {}
    for name in rows[0].figures:
        values = [row.figures[name].value for row in rows]
        known = [value for value in values if value is not None]
        mean = float(np.mean(known)) if len(known) == len(values) else None
        why = "" if mean is not None else "Undefined in a source."
        figures[name] = Interval(mean, None, None, len(rows), why)
    strange = [row.unfamiliar for row in rows if row.unfamiliar is not None]
    of_all = [row.exact_of_all for row in rows]
    return Row(
        ALL_SOURCES,
        reader,
        selection,
        fields=sum(row.fields for row in rows),
        labelled=sum(row.labelled for row in rows),
        scored=sum(row.scored for row in rows),
        figures=figures,
        exact_of_all=None if None in of_all else round(float(np.mean(np.array(of_all))), 4),
        far=sum(row.far for row in rows),
        unfamiliar=round(float(np.mean(strange)), 4) if strange else None,
        without_score=round(float(np.mean([row.without_score for row in rows])), 4),
    )


if __name__ == "__main__":
    sys.exit(main())
