"""Sentences and tables that the page, the HTML report and the command line share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from her2core.common.csv_table import Cell, csv_table
from her2core.evaluation.agreement import Interval
from her2core.evaluation.gallery import GalleryEntry
from her2core.evaluation.report import Evaluation, PatchRow, Report, ReportModel
from her2core.scores import CLASS_LABELS, HER2Score

METHOD = (
    "Intervals are 95 % percentile bootstrap intervals; whole groups (patients, slides or cores) "
    "are resampled, so that patches of one group do not count as independent. That of the "
    "calibration error is moved by the bias that resampling adds to it."
)


def report_facts(report: Report) -> Iterator[str]:
    """What was measured, on what, how and when."""
    found = report.evaluation
    yield (
        f"{count_of(found.n, 'patch', 'patches')} of {count_of(found.groups, 'group')} from "
        f"{', '.join(report.data)}; made {report.created[:10]} by version {report.code_version}."
    )
    yield f"{METHOD} {found.n_boot} resamples, seed {found.seed}."


def pair_lines(found: Evaluation) -> Iterator[str]:
    """How two models differ on the same patches, one sentence or two for each pair."""
    titles = {reader.key: reader.title for reader in found.readers}
    for pair in found.pairs:
        first, second = titles[pair.first], titles[pair.second]
        p = "not defined" if pair.p_value is None else _p_text(pair.p_value)
        yield (
            f"{second} against {first} on the same {count_of(pair.n, 'patch', 'patches')}: "
            f"only {first} right on {pair.only_first_right}, only {second} right on "
            f"{pair.only_second_right} (exact McNemar p {p}, which takes patches for independent). "
            f"{second} minus {first}: kappa {signed_text(pair.kappa_difference)}, accuracy "
            f"{signed_text(pair.accuracy_difference)}."
        )


def gallery_line(report: Report, entry: GalleryEntry) -> str:
    """A patch of the gallery in words, e.g. "CNN called 3+, label 1+"."""
    titles = {model.key: model.title for model in report.models}
    called = ", ".join(
        f"{titles.get(key, key)} called {CLASS_LABELS[score]}"
        for key, score in zip(entry.readers, entry.scores, strict=True)
    )
    return f"{called}, label {CLASS_LABELS[entry.label]}"


def rows_csv(rows: Sequence[PatchRow], models: Sequence[ReportModel]) -> bytes:
    """The rows as CSV (UTF-8 with byte order mark); no cell is ever computed by a spreadsheet.

    The column of file names is left out where no row has one.
    """
    scores = list(HER2Score)
    named = any(row.file for row in rows)
    head = [
        *(
            "sha256",
            *(["file"] if named else []),
            "group",
            "label",
            "tissue_share",
            "quality_warnings",
        ),
        *(f"{m.key} p_{s.column}" for m in models for s in scores),
        *(f"{m.key} score" for m in models),
        *("stain score", "stain reason", "stain cells"),
    ]
    return csv_table([head, *(_cells(row, models, named) for row in rows)])


def _cells(row: PatchRow, models: Sequence[ReportModel], named: bool) -> list[Cell]:
    said = [row.probabilities[model.key] for model in models]
    return [
        row.sha256,
        *([row.file] if named else []),
        row.group,
        CLASS_LABELS[row.label],
        round(row.tissue, 4),
        " ".join(row.warnings),
        *(float(f"{p:.7g}") for four in said for p in four),
        *(CLASS_LABELS[four.index(max(four))] for four in said),
        *_stain_cells(row),
    ]


def _stain_cells(row: PatchRow) -> tuple[str, str, int | None]:
    if row.stain is None:
        return "", "", None
    score = "" if row.stain.score is None else CLASS_LABELS[row.stain.score]
    return score, row.stain.reason or "", sum(row.stain.counts)


def signed_text(value: Interval) -> str:
    """A difference with its sign and interval: "+0.031 (-0.004 to +0.066)"."""
    if value.value is None:
        return "–"
    if value.low is None or value.high is None:
        return f"{value.value:+.3f} (no interval)"
    return f"{value.value:+.3f} ({value.low:+.3f} to {value.high:+.3f})"


def count_of(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 patch", "12 patches"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
