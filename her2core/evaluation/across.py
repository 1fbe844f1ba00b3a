"""Two reports that hold the same patches: their models compared pairwise on these."""

from collections.abc import Sequence

from her2core.evaluation.assessment import sample_of, scored
from her2core.evaluation.intervals import patch_codes, weight_blocks
from her2core.evaluation.pairs import PairComparison, compare
from her2core.evaluation.report import PatchRow, ReportModel

Part = tuple[Sequence[PatchRow], Sequence[ReportModel]]


def across(first: Part, second: Part, n_boot: int, seed: int) -> tuple[PairComparison, ...]:
    """Each model of the second report against that of the same architecture in the first.

    Only patches with a score in both, by their bytes, under the same label; each once.

    Args:
        first, second: rows and models of each report.
        n_boot, seed: of the resampling by group.

    Returns:
        None of a model that is in both, or whose architecture one lacks; empty without such
        patches.
    """
    theirs = {(row.sha256, row.label): row for row in scored(second[0])}
    ours = {(row.sha256, row.label): row for row in scored(first[0])}
    both = [key for key in ours if key in theirs]
    if not both:
        return ()
    one, two = [ours[key] for key in both], [theirs[key] for key in both]
    codes = patch_codes([row.group for row in one], [row.sha256 for row in one])
    return tuple(
        compare(
            (model.key, other.key),
            sample_of(one, (model,), codes),
            sample_of(two, (other,), codes),
            weight_blocks(codes, n_boot, seed),
        )
        for model in first[1]
        for other in second[1]
        if model.architecture == other.architecture and model.key != other.key
    )
