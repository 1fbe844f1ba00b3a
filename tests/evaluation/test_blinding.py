"""The rule of what a report may show to who reads blind, over all that can be asked of it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from her2core.evaluation.assessment import without
from her2core.evaluation.blinding import exposed_by, to_leave_out
from tests.report_samples import a_report, some_rows

ROWS = some_rows(4)
PATCHES = [row.sha256 for row in ROWS]
COPIES = {f"{number:064x}": sha256 for number, sha256 in enumerate(PATCHES[:2])}
some = st.frozensets(st.sampled_from([*PATCHES, *COPIES]))


@given(sealed=some, known=st.none() | some)
@settings(deadline=None)
def test_exactly_what_is_to_be_read_blind_is_left_out(sealed, known):
    hidden = to_leave_out(ROWS, COPIES, sealed, known)
    for sha256 in PATCHES:
        copies = {copy for copy, patch in COPIES.items() if patch == sha256}
        is_sealed = sealed & {sha256, *copies}
        assert (sha256 in hidden) == bool(is_sealed or (known is not None and sha256 not in known))


def test_figures_without_a_patch_do_not_depend_on_what_was_said_of_it():
    hidden = to_leave_out(ROWS, {}, (), PATCHES[1:])
    shown = []
    for said in ((0.97, 0.01, 0.01, 0.01), (0.01, 0.01, 0.01, 0.97)):
        first = replace(ROWS[0], probabilities=dict.fromkeys(ROWS[0].probabilities, said))
        rows = (first, *ROWS[1:])
        report = without(a_report("Four", rows, n_boot=20, shown=2), hidden)
        assert report is not None
        shown.append((report.evaluation, report.rows, report.gallery))
    assert shown[0] == shown[1]


def test_who_is_shown_a_patch_has_seen_its_copy_too():
    assert exposed_by(ROWS[:1], COPIES) == {PATCHES[0], f"{0:064x}"}
