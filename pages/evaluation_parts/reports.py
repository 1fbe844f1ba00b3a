"""Model evaluation: choose a report, compare it with another one, filter, look, download."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from her2core.charts.words import count_of, not_assessable_lines, pair_line
from her2core.common.text import markdown_text, printable
from her2core.evaluation.across import across
from her2core.evaluation.assessment import RowFilter, evaluate, scored, without
from her2core.evaluation.blinding import to_leave_out, told_of
from her2core.evaluation.report import (
    Evaluation,
    PatchRow,
    Report,
    ReportError,
)
from her2core.evaluation.report_folders import find_reports, stored_copies
from her2core.scores import HER2Score
from her2core.serving.services import Services
from pages.evaluation_parts import downloads, figures, gallery, real_tissue, third_reader
from pages.shell import exposure, session, ui

QUALITY = {"All patches": "any", "Without warning": "clean", "With warning": "warned"}
NOTHING = "No other report"
_UNTIL = (
    "In blind mode a patch is shown once you have reviewed it, in a double read once both readers "
    "have answered."
)


@dataclass(frozen=True)
class Source:
    """One report as this person may see it.

    Attributes:
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


def draw(here: Services) -> None:
    """The whole section."""
    real_tissue.draw(here)
    paths = find_reports(here.settings.report_dirs)
    if not paths:
        _how_to_make_one(here)
        return
    chosen = _choose(paths)
    desk = session.desk(here.store)
    loaded = [read for name in chosen if (read := _loaded(here, name, paths[name]))]
    if not loaded:
        return
    wanted = _filter([source.report for source in loaded])
    shown = [one for source in loaded if (one := _shown(source, wanted)) is not None]
    if not shown:
        return
    # each figure tells a part of what was called how, so nobody reads these patches blind any more
    exposure.mark(here, frozenset().union(*(told_of(one.rows, one.source.copies) for one in shown)))
    for column, one in zip(st.columns(len(shown)), shown, strict=True):
        with column:
            _heading(one)
    _compared(shown)
    figures.draw([(one.source.report.title, one.evaluation) for one in shown])
    for one in shown:
        third_reader.draw(one.source.report, one.source.path.parent, one.evaluation)
    for one in shown:
        selected = {row.sha256 for row in one.rows}
        gallery.draw(
            here,
            one.source.report,
            one.source.path.parent,
            selected,
            whole=not one.source.left_out,
        )
    for one in shown:
        downloads.draw(
            here,
            desk,
            one.source.name,
            one.source.report,
            one.rows,
            one.source.path.parent,
            one.source.copies,
            whole=not one.source.left_out,
        )


def _how_to_make_one(here: Services) -> None:
    st.info(
        "No evaluation report was found. Evaluate model bundles on your own labelled patches "
        "(folders class_0, class_1+, class_2+ and class_3+) with this command:",
        icon=":material/lab_profile:",
    )
    st.code(
        ".venv/bin/python -m training.evaluate --data PATCHES --bundles BUNDLE,BUNDLE \\\n"
        f"    --out {here.settings.home / 'reports' / 'my-report'}",
        language="bash",
    )
    st.caption(
        "`make evaluation` makes the report on the bundles that come with this project. The tab "
        "Model cards shows what each bundle states of itself."
    )


def _choose(paths: dict[str, Path]) -> list[str]:
    """One report, or two to compare."""
    left, right = st.columns(2)
    names = list(paths)
    titles = {name: _title(name, path) for name, path in paths.items()}
    often = Counter(titles.values())

    def shown(name: str) -> str:
        title = titles.get(name, name)
        return title if often[title] < 2 else f"{title} ({printable(name)})"

    first = left.selectbox("Report", names, key="report_first", format_func=shown)
    others = [NOTHING, *(name for name in names if name != first)]
    second = right.selectbox("Compare with", others, key="report_second", format_func=shown)
    return [name for name in (first, second) if name in paths]


def _title(name: str, path: Path) -> str:
    """A report's title; its folder's name where it cannot be read."""
    try:
        return printable(_stored_title(str(path), path.stat().st_mtime_ns))
    except (ReportError, OSError):
        return printable(name)


def _loaded(here: Services, name: str, path: Path) -> Source | None:
    """The report, or a sentence on the page that says why it cannot be used or shown."""
    try:
        changed = path.stat().st_mtime_ns
        whole = _read(str(path), changed)
        copies = _copies(str(path), changed)
    except (ReportError, OSError) as error:
        reason = str(error) if isinstance(error, ReportError) else f"{path.name} cannot be read."
        st.error(markdown_text(reason), icon=":material/broken_image:")
        return None
    met = told_of(whole.rows, copies)
    desk = session.desk(here.store)
    plan = desk.plan(met)
    sealed = {sha256 for sha256 in plan.double_reads if not desk.sight(sha256, plan).verdicts}
    known = None
    if ui.blind_mode():
        known = exposure.known_of(here, {row.sha256 for row in whole.rows})
    hidden = to_leave_out(whole.rows, copies, sealed, known)
    report = _without(str(path), changed, hidden)
    if report is None:
        st.info(
            f"You are still to read every patch of {markdown_text(whole.title)} blind, so nothing "
            f"of this report is shown. {_UNTIL}",
            icon=":material/visibility_off:",
        )
        return None
    return Source(name, path, report, hidden, len(whole.rows) - len(report.rows), copies)


def _filter(reports: Sequence[Report]) -> RowFilter:
    """What the reader wants to look at; the same for both reports."""
    rows = [row for report in reports for row in report.rows]
    groups = sorted({row.group for row in rows if row.group})
    left, middle, right = st.columns([2, 2, 3.4], vertical_alignment="bottom")
    labels = left.multiselect(
        "Labels",
        list(HER2Score),
        format_func=lambda score: score.label,
        placeholder="All labels",
        key="report_labels",
    )
    picked = middle.multiselect(
        "Groups (patients, slides or cores)",
        groups,
        placeholder="All groups",
        key="report_groups",
        disabled=not groups,
        format_func=printable,
    )
    quality = right.segmented_control(
        "Image quality",
        list(QUALITY),
        default="All patches",
        required=True,
        key="report_quality",
        help="Quality warnings as on the Review page: blurred, little tissue, not IHC, ...",
    )
    return RowFilter(tuple(map(int, labels)), tuple(picked), QUALITY[quality or "All patches"])


def _shown(source: Source, wanted: RowFilter) -> Shown | None:
    report = source.report
    rows = tuple(row for row in report.rows if wanted(row))
    if not scored(rows):
        also = " and is assessable" if rows else ""
        st.info(f"No patch of {markdown_text(report.title)} fits these filters{also}.")
        return None
    if len(rows) == len(report.rows):
        return Shown(source, rows, report.evaluation)
    changed = source.path.stat().st_mtime_ns
    found = _evaluated(str(source.path), changed, source.hidden, wanted)
    return Shown(source, rows, found)


def _compared(shown: Sequence[Shown]) -> None:
    """Of two reports: their models pair by pair, on the patches that both hold."""
    if len(shown) < 2:
        return
    first, second = shown
    whole = first.source.report.evaluation
    parts = (first.rows, first.source.report.models), (second.rows, second.source.report.models)
    found = across(*parts, whole.n_boot, whole.seed)
    if not found:
        st.caption("The reports have no patch, or no network to compare, in common.")
    titles = [{m.key: m.name for m in models} for _, models in parts]
    for pair in found:
        st.markdown(markdown_text(pair_line(pair, titles[0][pair.first], titles[1][pair.second])))


def _heading(one: Shown) -> None:
    """What is shown, and what must be said before any figure."""
    report, left_out = one.source.report, one.source.left_out
    found, whole = one.evaluation, report.evaluation
    st.subheader(markdown_text(report.title), divider=False, anchor=False)
    part = "" if found.n == whole.n else f" (filtered; the whole report: {whole.n})"
    st.markdown(
        f"**{count_of(found.n, 'patch', 'patches')}**{part} of "
        f"{count_of(found.groups, 'group')} · data: {markdown_text(', '.join(report.data))} · "
        f"made {report.created[:10]}"
    )
    models = ", ".join(
        f"{model.title} ({model.name}{', demo' if model.demo else ''})" for model in report.models
    )
    st.caption(markdown_text(models))
    for line in not_assessable_lines(found):
        st.info(line, icon=":material/search_off:")
    if left_out:
        st.info(
            f"{count_of(left_out, 'patch is', 'patches are')} left out of everything here, because "
            f"you are still to read them blind. {_UNTIL}",
            icon=":material/visibility_off:",
        )
    if found.caution:
        st.warning(found.caution, icon=":material/warning:")
    for note in report.notes:
        st.warning(markdown_text(note), icon=":material/report:")


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
