"""What a reviewer is told of a patch: the quality's sentences, and where its brown lies."""

from __future__ import annotations

from her2core.preprocessing.patches import Patch
from her2core.preprocessing.quality.assessment import assess
from her2core.stain.nuclear_brown import NUCLEAR_BROWN, brown_lies_on_nuclei

# With these there is no stain to be asked about.
_NO_STAIN = frozenset({"blank", "grey", "h_and_e", "not_ihc"})


def warnings_of(patch: Patch) -> tuple[str, ...]:
    """The sentences for the patch's square, most serious first."""
    report = assess(patch)
    if _NO_STAIN & {finding.code for finding in report.findings}:
        return report.warnings
    nuclear = (NUCLEAR_BROWN,) if brown_lies_on_nuclei(patch.field()) else ()
    return (*nuclear, *report.warnings)
