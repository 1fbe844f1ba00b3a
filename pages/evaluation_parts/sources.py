"""Reports as this person may see them, loaded once, and the rows that a filter lets through."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from her2core.common.text import markdown_text, printable
from her2core.evaluation.assessment import RowFilter, evaluate, scored, without
from her2core.evaluation.blinding import exposed_by, stored_copies, to_leave_out
from her2core.evaluation.report import Evaluation, PatchRow, Report, ReportError
from her2core.serving.services import Services
from pages.shell import exposure, session, ui

UNTIL = (
    "In blind mode a patch is shown once you have reviewed it, in a double read once both readers "
    "have answered."
)


@dataclass(frozen=True)
class Source:
    """One report as this person may see it.

    Attributes:
        name: of the report among others.
        path: of its file; its pictures lie beside it.
        report: without the patches in `hidden`.
        hidden: sha256 of the patches that this person is still to read blind.
        left_out: how many rows that took away.
        copies: sha256 of the report's own pictures -> sha256 of the patches.
    """

    name: str
    path: Path
    report: Report
    hidden: tuple[str, ...]
    left_out: int
    copies: dict[str, str]


@dataclass(frozen=True)
class Shown:
    """One report as it is shown now: the rows the filter lets through and their figures."""

    source: Source
    rows: tuple[PatchRow, ...]
    evaluation: Evaluation

    @property
    def report(self) -> Report:
        """As this person may see it."""
        return self.source.report

    @property
    def title(self) -> str:
        """Of the report, as Markdown."""
        return markdown_text(self.report.title)

    @property
    def folder(self) -> Path:
        """Of the report: its pictures lie there, those of the gallery below it."""
        return self.source.path.parent

    @property
    def whole(self) -> bool:
        """No patch is left out of the report; pictures made of all may be shown."""
        return not self.source.left_out


def report_title(name: str, path: Path) -> str:
    """A report's title; its folder's name where it cannot be read."""
    try:
        return printable(_stored_title(str(path), path.stat().st_mtime_ns))
    except (ReportError, OSError):
        return printable(name)


def load(here: Services, name: str, path: Path) -> Source | None:
    """The report, or a sentence on the page that says why it cannot be used or shown."""
    try:
        changed = path.stat().st_mtime_ns
        whole = _read(str(path), changed)
        copies = _copies(str(path), changed)
    except (ReportError, OSError) as error:
        reason = str(error) if isinstance(error, ReportError) else f"{path.name} cannot be read."
        st.error(markdown_text(reason), icon=":material/broken_image:")
        return None
    patches = exposed_by(whole.rows, copies)
    desk = session.desk(here.store)
    plan = desk.plan(patches)
    sealed = {sha256 for sha256 in plan.double_reads if not desk.sight(sha256, plan).verdicts}
    known = None
    if ui.blind_mode():
        known = exposure.known_of(here, {row.sha256 for row in whole.rows})
    hidden = to_leave_out(whole.rows, copies, sealed, known)
    report = _without(str(path), changed, hidden)
    if report is None:
        st.info(
            f"You are still to read every patch of {markdown_text(whole.title)} blind, so nothing "
            f"of this report is shown. {UNTIL}",
            icon=":material/visibility_off:",
        )
        return None
    return Source(name, path, report, hidden, len(whole.rows) - len(report.rows), copies)


def narrowed(source: Source, wanted: RowFilter) -> Shown | None:
    """What the filter lets through, or a sentence on the page where that is nothing."""
    report = source.report
    rows = tuple(row for row in report.rows if wanted(row))
    if not scored(rows):
        also = " and is assessable" if rows else ""
        st.info(f"No patch of {markdown_text(report.title)} fits these filters{also}.")
        return None
    if len(rows) == len(report.rows):
        return Shown(source, rows, report.evaluation)
    changed = source.path.stat().st_mtime_ns
    return Shown(source, rows, _evaluated(str(source.path), changed, source.hidden, wanted))


@st.cache_resource(max_entries=8, show_spinner="Reading the report…")
def _read(path: str, changed: int) -> Report:
    return Report.read(Path(path))


@st.cache_data(max_entries=500, show_spinner=False)
def _stored_title(path: str, changed: int) -> str:
    return Report.read(Path(path)).title


@st.cache_resource(max_entries=8, show_spinner=False)
def _copies(path: str, changed: int) -> dict[str, str]:
    return stored_copies(_read(path, changed), Path(path).parent)


@st.cache_resource(max_entries=64, show_spinner="Computing the figures of this selection…")
def _without(path: str, changed: int, hidden: tuple[str, ...]) -> Report | None:
    return without(_read(path, changed), frozenset(hidden))


@st.cache_resource(max_entries=64, show_spinner="Computing the figures of this selection…")
def _evaluated(path: str, changed: int, hidden: tuple[str, ...], wanted: RowFilter) -> Evaluation:
    report = _without(path, changed, hidden)
    if report is None:
        raise ValueError("There is no patch to evaluate.")
    rows = [row for row in report.rows if wanted(row)]
    whole = report.evaluation
    return evaluate(rows, report.models, whole.n_boot, whole.seed)
