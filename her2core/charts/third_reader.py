"""The third reader in words and tables, for the page, the HTML report and the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from her2core.charts.plots import figure_text
from her2core.charts.words import count_of
from her2core.common.text import percent_text
from her2core.evaluation.report import Evaluation, PatchRow, Report
from her2core.evaluation.third_reader import Difference, ThirdReader
from her2core.scores import CLASS_LABELS, HER2Score
from her2core.stain.cells import Pattern

TITLE = "Stain measurement"


def third_reader_lines(found: Evaluation) -> Iterator[str]:
    """What the third reader is worth here, and how it differs from each network."""
    third = found.third_reader
    if third is None:
        return
    yield (
        f"{TITLE}: a score for {third.scored} of {count_of(third.n, 'patch', 'patches')}; exact "
        f"{figure_text(third.exact)}, within one grade {figure_text(third.within_one)}, kappa "
        f"{figure_text(third.kappa)}."
    )
    if third.groups:
        exact = sum(group.score == group.truth for group in third.groups)
        rank = (
            third.rank_reason
            if third.rank is None
            else f"Spearman of the H-score with the true score {third.rank:.2f}."
        )
        yield (
            f"{TITLE}, cells of each group together: {exact} of "
            f"{count_of(len(third.groups), 'group')} exact. {rank}"
        )
    titles = {reader.key: reader.title for reader in found.readers}
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
    """Patches on which a network and the third reader lie far apart, with what each said."""
    by_sha256 = {row.sha256: row for row in report.rows}
    title = next((m.title for m in report.models if m.key == difference.key), difference.key)
    return [
        (row, _said(row, title, difference.key))
        for sha256 in difference.patches
        if (row := by_sha256.get(sha256)) is not None
    ]


def _said(row: PatchRow, title: str, key: str) -> str:
    four: Sequence[float] = row.probabilities[key]
    called = CLASS_LABELS[max(range(len(four)), key=four.__getitem__)]
    stain = "none" if row.stain is None or row.stain.score is None else row.stain.score
    measured = stain if isinstance(stain, str) else CLASS_LABELS[stain]
    return f"{title} {called}, stain {measured}, label {CLASS_LABELS[row.label]}"
