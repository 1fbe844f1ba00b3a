"""Sentences and tables that the page, the HTML report and the command line share."""

from collections.abc import Iterator, Sequence

from her2core.common.csv_table import Cell, csv_table
from her2core.common.interval_level import LEVEL_TEXT
from her2core.common.text import percent_text
from her2core.evaluation.gallery import GalleryEntry
from her2core.evaluation.intervals import Interval
from her2core.evaluation.pairs import PairComparison
from her2core.evaluation.report import Evaluation, PatchRow, Report, ReportModel
from her2core.evaluation.third_reader import Difference, ThirdReader
from her2core.scores import CLASS_KEYS, CLASS_LABELS, HER2Score
from her2core.stain.cells import Pattern

STAIN_TITLE = "Stain measurement"
_ASSESSABLE = {True: "yes", False: "no", None: ""}
METHOD = (
    f"Intervals are {LEVEL_TEXT} percentile bootstrap intervals; whole groups (patients, slides or "
    "cores) are resampled, so that patches of one group do not count as independent. That of the "
    "calibration error is moved by the bias that resampling adds to it."
)


def report_facts(report: Report) -> Iterator[str]:
    """What was measured, on what, how and when."""
    evaluation = report.evaluation
    patches = count_of(evaluation.n, "patch", "patches")
    groups = count_of(evaluation.groups, "group")
    yield (
        f"{patches} of {groups} from {', '.join(report.data)}; made {report.created[:10]} by "
        f"version {report.code_version}."
    )
    yield from not_assessable_lines(evaluation)
    yield f"{METHOD} {evaluation.n_boot} resamples, seed {evaluation.seed}."


def not_assessable_lines(evaluation: Evaluation) -> Iterator[str]:
    """How many patches got no score beside those that the figures count, of which labels."""
    counts = evaluation.not_assessable
    if sum(counts):
        labels = ", ".join(
            f"{count} labelled {label}"
            for label, count in zip(CLASS_LABELS, counts, strict=True)
            if count
        )
        more = count_of(sum(counts), "more patch is", "more patches are")
        yield (
            f"{more} not assessable ({labels}): too few tumour cells for a score, so that no "
            "figure counts them."
        )


def pair_lines(evaluation: Evaluation) -> Iterator[str]:
    """How two models differ on the same patches, one sentence or two for each pair."""
    titles = {reader.key: reader.title for reader in evaluation.readers}
    for pair in evaluation.pairs:
        yield pair_line(pair, titles[pair.first], titles[pair.second])


def pair_line(pair: PairComparison, first: str, second: str) -> str:
    """How two readers of these titles differ on the same patches."""
    p = "not defined" if pair.p_value is None else _p_text(pair.p_value)
    return (
        f"{second} against {first} on the same {count_of(pair.n, 'patch', 'patches')}: "
        f"only {first} right on {pair.only_first_right}, only {second} right on "
        f"{pair.only_second_right} (exact McNemar p {p}, which takes patches for independent). "
        f"{second} minus {first}: kappa {figure_text(pair.kappa_difference, signed=True)}, "
        f"accuracy {figure_text(pair.accuracy_difference, signed=True)}."
    )


def gallery_line(report: Report, entry: GalleryEntry) -> str:
    """A patch of the gallery in words, e.g. "CNN called 3+, label 1+"."""
    titles = {model.key: model.title for model in report.models}
    called = ", ".join(
        f"{titles.get(key, key)} called {CLASS_LABELS[score]}"
        for key, score in zip(entry.readers, entry.scores, strict=True)
    )
    return f"{called}, label {CLASS_LABELS[entry.label]}"


def third_reader_lines(evaluation: Evaluation) -> Iterator[str]:
    """What the third reader is worth here, and how it differs from each network."""
    third = evaluation.third_reader
    if third is None:
        return
    yield (
        f"{STAIN_TITLE}: a score for {third.scored} of {count_of(third.n, 'patch', 'patches')}; "
        f"exact {figure_text(third.exact)}, within one grade {figure_text(third.within_one)}, "
        f"kappa {figure_text(third.kappa)}."
    )
    if third.groups:
        exact = sum(group.score == group.truth for group in third.groups)
        rank = (
            third.rank_reason
            if third.rank is None
            else f"Spearman of the H-score with the true score {third.rank:.2f}."
        )
        yield (
            f"{STAIN_TITLE}, cells of each group together: {exact} of "
            f"{count_of(len(third.groups), 'group')} exact. {rank}"
        )
    titles = {reader.key: reader.title for reader in evaluation.readers}
    for difference in third.differences:
        yield difference_line(titles.get(difference.key, difference.key), difference)


def difference_line(title: str, difference: Difference) -> str:
    """How one network and the third reader differ, in one sentence."""
    near = (
        f"{title} and the stain measurement: same score on {difference.same} of {difference.n}, "
        f"one grade apart on {difference.one_grade}"
    )
    if not difference.far:
        return f"{near}, never two or more."
    network, stain = (
        n or "none" for n in (difference.far_network_right, difference.far_stain_right)
    )
    return (
        f"{near}, two or more on {count_of(difference.far, 'patch', 'patches')}, of which {title} "
        f"got {network} right and the stain measurement {stain}."
    )


def group_rows(third: ThirdReader) -> list[dict[str, object]]:
    """A row for each group: its true score, what its cells give, and their shares."""
    rows = []
    for group in third.groups:
        total = sum(group.counts)
        score = "no score" if group.score is None else HER2Score(group.score).label
        row: dict[str, object] = {
            "Group": group.group,
            "Patches": group.n,
            "True score": HER2Score(group.truth).label,
            "Stain measurement": f"{score} (HER2-ultralow)" if group.ultralow else score,
            "Cells": total,
        }
        for pattern in reversed(Pattern):
            share = percent_text(group.counts[pattern] / total, 1) if total else "–"
            row[pattern.label.capitalize()] = share
        h_score = group.h_score
        row["H-score"] = "–" if h_score is None else f"{h_score:.0f}"
        rows.append(row)
    return rows


def far_patches(report: Report, difference: Difference) -> list[tuple[PatchRow, str]]:
    """Patches on which a network and the third reader lie far apart, with what each called them."""
    by_sha256 = {row.sha256: row for row in report.rows}
    title = next((m.title for m in report.models if m.key == difference.key), difference.key)
    return [
        (row, _in_words(row, title, difference.key))
        for sha256 in difference.patches
        if (row := by_sha256.get(sha256)) is not None
    ]


def _in_words(row: PatchRow, title: str, key: str) -> str:
    four: Sequence[float] = row.probabilities[key]
    called = CLASS_LABELS[max(range(len(four)), key=four.__getitem__)]
    stain = "none" if row.stain is None or row.stain.score is None else row.stain.score
    measured = stain if isinstance(stain, str) else CLASS_LABELS[stain]
    return f"{title} {called}, stain {measured}, label {CLASS_LABELS[row.label]}"


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
            "assessable",
        ),
        *(f"{m.key} p_{s.column}" for m in models for s in scores),
        *(f"{m.key} score" for m in models),
        *("stain score", "stain reason", "stain cells"),
    ]
    return csv_table([head, *(_cells(row, models, named) for row in rows)])


def _cells(row: PatchRow, models: Sequence[ReportModel], named: bool) -> list[Cell]:
    predictions = [row.probabilities[model.key] for model in models]
    return [
        row.sha256,
        *([row.file] if named else []),
        row.group,
        CLASS_KEYS[row.label],
        round(row.tissue, 4),
        " ".join(row.warnings),
        _ASSESSABLE[row.assessable],
        *(float(f"{p:.7g}") for four in predictions for p in four),
        *(HER2Score.most_probable(four).key for four in predictions),
        *_stain_cells(row),
    ]


def _stain_cells(row: PatchRow) -> tuple[str, str, int | None]:
    if row.stain is None:
        return "", "", None
    score = "" if row.stain.score is None else CLASS_KEYS[row.stain.score]
    return score, row.stain.reason or "", sum(row.stain.counts)


def figure_text(
    value: Interval, *, digits: int = 3, signed: bool = False, as_percent: bool = False
) -> str:
    """A figure with its interval: "0.912 (0.887 to 0.934)", "0.912 (no interval)" or "–".

    Args:
        value: the figure.
        digits: after the point.
        signed: with its sign, as of a difference.
        as_percent: "75 % (41 % to 93 %)", without digits after the point.
    """

    def one(number: float) -> str:
        if as_percent:
            return f"{100 * number:.0f} %"
        return f"{number:{'+' if signed else ''}.{digits}f}"

    if value.value is None:
        return "–"
    if value.low is None or value.high is None:
        return f"{one(value.value)} (no interval)"
    return f"{one(value.value)} ({one(value.low)} to {one(value.high)})"


def count_of(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 patch", "12 patches"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
