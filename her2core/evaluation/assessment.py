"""From rows to figures: everything a report says, computed anew for any selection of its rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from her2core.evaluation.agreement import confusions
from her2core.evaluation.curves import coverage_curve, pr_curves, reliability, roc_curves
from her2core.evaluation.figures import Sample, measure
from her2core.evaluation.gallery import GalleryEntry, largest_disagreements, worst_errors
from her2core.evaluation.group_level import NO_TISSUE, group_level
from her2core.evaluation.intervals import Floats, patch_codes, weight_blocks
from her2core.evaluation.pairs import compare
from her2core.evaluation.report import (
    MEAN,
    Evaluation,
    PatchRow,
    ReaderEvaluation,
    Report,
    ReportModel,
)
from her2core.evaluation.third_reader import third_reader
from her2core.models.conformal import prediction_sets
from her2core.models.temperature import without_temperature

N_BOOT = 1000


@dataclass(frozen=True)
class RowFilter:
    """Which rows count; an empty field lets all through.

    Attributes:
        labels: true classes.
        groups: names of groups.
        quality: "any"; "clean", only patches without a quality warning; "warned", only with one.
    """

    labels: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()
    quality: str = "any"

    def __call__(self, row: PatchRow) -> bool:
        """Whether the row counts."""
        return (
            (not self.labels or row.label in self.labels)
            and (not self.groups or row.group in self.groups)
            and (self.quality == "any" or (self.quality == "warned") == bool(row.warnings))
        )


def evaluate(
    rows: Sequence[PatchRow],
    models: Sequence[ReportModel],
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> Evaluation:
    """All figures of each model and, where there are several, of their mean probability.

    A patch that is not assessable got no score: it counts for nothing but `not_assessable`, and as
    read by the stain measurement.

    Args:
        rows: at least one that got a score.
        models: whose keys the rows hold.
        n_boot: resamples of whole groups. A patch without a group counts as a group of its own,
            together with other files of the very same bytes.
        seed: of the resampling.

    Raises:
        ValueError: there is no such row.
    """
    everything, rows = rows, scored(rows)
    if not rows:
        raise ValueError("There is no patch to evaluate.")
    codes = patch_codes([row.group for row in rows], [row.sha256 for row in rows])
    apart = _not_assessable(everything)
    samples = {model.key: sample_of(rows, (model,), codes) for model in models}
    titles = {model.key: model.title for model in models}
    if len(models) > 1:
        samples[MEAN] = sample_of(rows, tuple(models), codes)
        titles[MEAN] = "Mean probability"
    return Evaluation(
        n=len(rows),
        groups=int(codes.max()) + 1,
        ungrouped=sum(not row.group for row in rows),
        n_boot=n_boot,
        seed=seed,
        readers=tuple(
            replace(_reader(key, titles[key], sample, rows, n_boot, seed), not_assessable=apart)
            for key, sample in samples.items()
        ),
        pairs=tuple(
            compare(
                (one.key, two.key),
                samples[one.key],
                samples[two.key],
                weight_blocks(codes, n_boot, seed),
            )
            for one, two in combinations(models, 2)
        ),
        third_reader=third_reader(everything, [model.key for model in models], n_boot, seed),
    )


def scored(rows: Sequence[PatchRow]) -> list[PatchRow]:
    """The rows that got a score."""
    return [row for row in rows if row.assessable is not False]


def _not_assessable(rows: Sequence[PatchRow]) -> tuple[int, int, int, int] | None:
    """How many of each label got no score; None where that was never asked."""
    if all(row.assessable is None for row in rows):
        return None
    without = [row.label for row in rows if row.assessable is False]
    zero, one, two, three = (without.count(label) for label in range(4))
    return zero, one, two, three


def without(report: Report, sha256: Collection[str]) -> Report | None:
    """The report as if these patches had not been in it, every figure computed anew.

    A figure that still counted them would tell what was said of them by its difference. So would
    the gallery: it was chosen among all, and who is not in it any more was among the worst.

    Returns:
        None where no other patch with a score is left.
    """
    rows = tuple(row for row in report.rows if row.sha256 not in sha256)
    if len(rows) == len(report.rows):
        return report
    if not scored(rows):
        return None
    whole = report.evaluation
    return replace(
        report,
        evaluation=evaluate(rows, report.models, whole.n_boot, whole.seed),
        gallery=(),
        rows=rows,
    )


def gallery(
    rows: Sequence[PatchRow], models: Sequence[ReportModel], count: int
) -> tuple[GalleryEntry, ...]:
    """Each model's `count` worst errors and each pair's `count` largest disagreements."""
    rows = scored(rows)
    sha256 = [row.sha256 for row in rows]
    labels = np.array([row.label for row in rows], np.int64)
    predictions = {model.key: _probabilities(rows, model.key) for model in models}
    errors = [
        entry
        for model in models
        for entry in worst_errors(model.key, sha256, labels, predictions[model.key], count)
    ]
    apart = [
        entry
        for one, two in combinations([model.key for model in models], 2)
        for entry in largest_disagreements(
            (one, two), sha256, labels, predictions[one], predictions[two], count
        )
    ]
    return (*errors, *apart)


def _probabilities(rows: Sequence[PatchRow], key: str) -> Floats:
    return np.array([row.probabilities[key] for row in rows], np.float64)


def sample_of(
    rows: Sequence[PatchRow], models: tuple[ReportModel, ...], codes: np.ndarray
) -> Sample:
    """What one model, or the mean of several, predicts for rows of the groups `codes` (n,)."""
    predictions = [_probabilities(rows, model.key) for model in models]
    before = [
        untempered
        for probabilities, model in zip(predictions, models, strict=True)
        if model.temperature is not None
        and (untempered := without_temperature(probabilities, model.temperature)) is not None
    ]
    sets = models[0].conformal if len(models) == 1 else None
    return Sample(
        labels=np.array([row.label for row in rows], np.int64),
        probabilities=np.mean(predictions, axis=0),
        before=np.mean(before, axis=0) if len(before) == len(models) else None,
        codes=codes,
        members=None if sets is None else prediction_sets(predictions[0], sets),
    )


def _reader(
    key: str, title: str, sample: Sample, rows: Sequence[PatchRow], n_boot: int, seed: int
) -> ReaderEvaluation:
    ones = np.ones((1, len(rows)))
    counts = confusions(sample.labels, sample.predicted, ones)[0].astype(int)
    tissue = np.array([not NO_TISSUE & set(row.warnings) for row in rows])
    return ReaderEvaluation(
        key=key,
        title=title,
        figures=measure(sample, weight_blocks(sample.codes, n_boot, seed)),
        confusion=tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in counts),
        row_shares=tuple(_shares(row) for row in counts.tolist()),
        roc=roc_curves(sample),
        pr=pr_curves(sample),
        reliability=reliability(sample.probabilities, sample.labels),
        reliability_before=(
            () if sample.before is None else reliability(sample.before, sample.labels)
        ),
        coverage=coverage_curve(sample, weight_blocks(sample.codes, n_boot, seed)),
        group_level=group_level(
            [row.group for row in rows], sample.labels, sample.predicted, tissue, n_boot, seed
        ),
    )


def _shares(row: list[int]) -> tuple[float | None, float | None, float | None, float | None]:
    total = sum(row)
    zero, one, two, three = (round(count / total, 5) if total else None for count in row)
    return zero, one, two, three
