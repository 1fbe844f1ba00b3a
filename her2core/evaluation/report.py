"""The evaluation report: what report.json holds, written and strictly read. Free of tensorflow.

A report carries the row of every patch, so that a page can filter by class, group or quality and
compute all figures anew from the file alone.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from her2core.common import strict_json
from her2core.common.refusal import RefusalError
from her2core.evaluation.curves import CoveragePoint, Curve, ReliabilityBin
from her2core.evaluation.figures import Figure
from her2core.evaluation.gallery import GalleryEntry
from her2core.evaluation.group_level import GroupLevel
from her2core.evaluation.pairs import PairComparison
from her2core.evaluation.third_reader import StainRow, ThirdReader
from her2core.models.bundles.card import Metric
from her2core.models.conformal import ConformalSets
from her2core.models.temperature import Temperature, is_valid

Schema = Literal["her2review-evaluation/1"]
SCHEMA: Schema = "her2review-evaluation/1"
REPORT_FILE = "report.json"
PATCH_FOLDER = "patches"
MEAN = "mean"
_compact = partial(json.dumps, ensure_ascii=False, allow_nan=False)
_MAX_REPORT_BYTES = 512 * 1024 * 1024


class ReportError(RefusalError, ValueError):
    """A report cannot be used; str(error) names it, the reason and what to do."""


@dataclass(frozen=True)
class PatchRow:
    """One labelled patch and what each model predicted.

    Attributes:
        sha256: of the file's bytes.
        file: the file's name without its folder.
        group: patient, slide or core; "" where unknown.
        label: true class, 0 to 3.
        probabilities: model key -> four class probabilities, as shown to people.
        warnings: codes of the quality warnings (her2core.preprocessing.quality.assessment).
        tissue: share of the square that is not empty glass, in [0, 1].
        stain: what was measured without a network; None in reports made before it took part.
        assessable: whether there are tumour cells enough for a score (her2core.models.assessable);
            None in reports made before that was asked.
    """

    sha256: str
    file: str
    group: str
    label: int
    probabilities: dict[str, tuple[float, float, float, float]]
    warnings: tuple[str, ...]
    tissue: float
    stain: StainRow | None = None
    assessable: bool | None = None


@dataclass(frozen=True)
class ReportModel:
    """A model of the report, as its card describes it.

    Attributes:
        key: what rows and readers call it, the model id.
        title: what people call it here, e.g. "CNN".
        temperature: divided the logits, > 0; None where the rows come from several models of the
            same kind, each with its own, so that what was before is unknown.
        measured: the coverage of its prediction sets as the card states it; None without.
        Others: as in the card.
    """

    key: str
    title: str
    architecture: str
    name: str
    demo: bool
    temperature: Temperature | None
    training_data: str
    licence: str
    date: str
    conformal: ConformalSets | None = None
    measured: Metric | None = None


@dataclass(frozen=True)
class ReaderEvaluation:
    """All that is known of one model, or of the mean of all.

    Attributes:
        key: the model's key, or "mean".
        confusion: 4 x 4 counts, truth in rows.
        row_shares: the same as shares of each row; None in a row without patches.
        reliability_before: the bins without temperature scaling; empty where that is not known.
        group_level: None where no group has several patches.
        not_assessable: beside the confusion, patches of each label that got no score because they
            hold too few tumour cells; None where nobody asked.
        Others: see their types.
    """

    key: str
    title: str
    figures: tuple[Figure, ...]
    confusion: tuple[tuple[int, int, int, int], ...]
    row_shares: tuple[tuple[float | None, float | None, float | None, float | None], ...]
    roc: tuple[Curve, ...]
    pr: tuple[Curve, ...]
    reliability: tuple[ReliabilityBin, ...]
    reliability_before: tuple[ReliabilityBin, ...]
    coverage: tuple[CoveragePoint, ...]
    group_level: GroupLevel | None = None
    not_assessable: tuple[int, int, int, int] | None = None

    def figure(self, name: str, of: str = "") -> Figure | None:
        """The figure of this name, None where it was not measured."""
        return next((f for f in self.figures if (f.name, f.of) == (name, of)), None)


@dataclass(frozen=True)
class Evaluation:
    """Figures of a set of rows.

    Attributes:
        n: patches that got a score.
        groups: independent units resampled.
        ungrouped: patches whose group is unknown; each of them counts as a unit of its own.
        n_boot, seed: of the resampling.
        third_reader: the stain measurement beside the networks; None where it took no part.
    """

    n: int
    groups: int
    ungrouped: int
    n_boot: int
    seed: int
    readers: tuple[ReaderEvaluation, ...]
    pairs: tuple[PairComparison, ...]
    third_reader: ThirdReader | None = None

    @property
    def not_assessable(self) -> tuple[int, ...]:
        """Further patches of each label that got no score, the same of all networks."""
        return self.readers[0].not_assessable or ()

    @property
    def caution(self) -> str:
        """What must stand beside every figure where groups are unknown, else empty."""
        if not self.ungrouped:
            return ""
        which = (
            "every patch" if self.ungrouped == self.n else f"{self.ungrouped} of {self.n} patches"
        )
        return (
            f"The figures are optimistic: the patient, slide or core of {which} is unknown. "
            "Patches of one tumour may be on both sides of training and test, and the intervals "
            "count them as independent, so they are narrower than they should be."
        )


@dataclass(frozen=True)
class Report:
    """What report.json holds.

    Attributes:
        schema: version of the layout.
        title: name of the report, for people.
        created: when, ISO 8601 in UTC.
        code_version: version of this project that wrote it.
        data: names of the evaluated folders.
        models: in the order they were named.
        notes: further sentences, e.g. on files that could not be read.
        evaluation: figures of all rows.
        gallery: worst errors and largest disagreements; empty where no image may be shown.
        rows: every patch.
    """

    schema: Schema
    title: str
    created: str
    code_version: str
    data: tuple[str, ...]
    models: tuple[ReportModel, ...]
    notes: tuple[str, ...]
    evaluation: Evaluation
    gallery: tuple[GalleryEntry, ...]
    rows: tuple[PatchRow, ...]

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read a report.json.

        Raises:
            ReportError: the file is missing, is no JSON, or is not exactly a report.
        """
        try:
            report = strict_json.read_file(cls, path, _MAX_REPORT_BYTES, "report")
            _check(report)
        except strict_json.ShapeError as error:
            raise ReportError(
                f"Report “{path.parent.name}” cannot be used: {error}; make it again with `python "
                "-m training.evaluate`."
            ) from None
        return report

    def to_json(self) -> str:
        """JSON text which `read` reads back unchanged; one line for each row."""
        fields = dataclasses.asdict(self)
        rows = ",\n".join(_compact(row) for row in fields.pop("rows"))
        others = ",\n".join(f"{_compact(key)}: {_compact(value)}" for key, value in fields.items())
        return f'{{\n{others},\n"rows": [\n{rows}\n]\n}}\n'


def find_reports(folders: tuple[Path, ...]) -> dict[str, Path]:
    """Readable name -> report.json of every report below these folders, own ones first.

    A name met twice (an own report called like a shipped one) gets its folder's parent in front.
    """
    reports: dict[str, Path] = {}
    for root in folders:
        for path in sorted(root.glob(f"*/{REPORT_FILE}")):
            name = path.parent.name
            reports[name if name not in reports else f"{root.parent.name}/{name}"] = path
    return reports


def _check(report: Report) -> None:
    """What each field may hold beyond its type."""
    keys = {model.key for model in report.models}
    if not report.rows or not keys:
        raise strict_json.ShapeError("it has no rows or no models")
    if not all(is_valid(m.temperature) for m in report.models if m.temperature is not None):
        raise strict_json.ShapeError("a temperature is not above 0")
    _check_rows(report, keys)
    _check_evaluation(report.evaluation, keys)
    for entry in report.gallery:
        _check_entry(entry, keys)


def _check_rows(report: Report, keys: set[str]) -> None:
    for row in report.rows:
        scores = (row.label, row.stain.score if row.stain and row.stain.score else 0)
        if max(scores) > 3 or row.probabilities.keys() != keys:
            raise strict_json.ShapeError(f"the row of “{row.file[:60]}” does not fit its models")
        for probabilities in row.probabilities.values():
            if min(probabilities) < 0 or abs(sum(probabilities) - 1) > 1e-3:
                raise strict_json.ShapeError(f"“{row.file[:60]}” has odd probabilities")


def _check_evaluation(evaluation: Evaluation, keys: set[str]) -> None:
    readers = {reader.key for reader in evaluation.readers}
    if not keys <= readers <= keys | {MEAN}:
        raise strict_json.ShapeError("its readers are not its models")
    if not all(reader.coverage for reader in evaluation.readers):
        raise strict_json.ShapeError("a reader has no curve of coverage")
    if not all({pair.first, pair.second} <= keys for pair in evaluation.pairs):
        raise strict_json.ShapeError("a comparison names a model that is not there")
    third = evaluation.third_reader
    if third and not {difference.key for difference in third.differences} <= keys:
        raise strict_json.ShapeError("the third reader is compared with a model that is not there")
    for group in third.groups if third else ():
        if group.truth > 3 or (group.score or 0) > 3:
            raise strict_json.ShapeError(f"the group “{group.group[:60]}” has an odd score")


def _check_entry(entry: GalleryEntry, keys: set[str]) -> None:
    if len(entry.sha256) != 64 or not set(entry.sha256) <= set("0123456789abcdef"):
        raise strict_json.ShapeError("an entry of the gallery names no sha256 sum")
    if max(entry.label, *entry.scores, 0) > 3 or len(entry.scores) != len(entry.readers):
        raise strict_json.ShapeError("an entry of the gallery has odd scores")
    if not set(entry.readers) <= keys:
        raise strict_json.ShapeError("an entry of the gallery names a model that is not there")
