"""Model evaluation: choose a report, compare it with another one, filter, look, download."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from her2core.charts.external_table import readme_lines
from her2core.charts.headline import source_plots
from her2core.charts.words import count_of, not_assessable_lines, pair_line
from her2core.common.interval_level import LEVEL_TEXT
from her2core.common.text import markdown_text, printable
from her2core.evaluation.across import across
from her2core.evaluation.assessment import RowFilter
from her2core.evaluation.blinding import exposed_by
from her2core.evaluation.report import find_reports
from her2core.scores import HER2Score
from her2core.serving.services import Services
from pages.evaluation_parts import downloads, figures, gallery, third_reader
from pages.evaluation_parts.sources import UNTIL, Shown, Source, load, narrowed, report_title
from pages.shell import charts, exposure

QUALITY = {"All patches": "any", "Without warning": "clean", "With warning": "warned"}
NOTHING = "No other report"


def draw(here: Services) -> None:
    """The whole section."""
    _real_tissue(here)
    paths = find_reports(here.settings.report_dirs)
    if not paths:
        _how_to_make_one(here)
        return
    sources = [source for name in _choose(paths) if (source := load(here, name, paths[name]))]
    if not sources:
        return
    wanted = _filter(sources)
    shown = [one for source in sources if (one := narrowed(source, wanted))]
    if not shown:
        return
    # each figure tells a part of what was called how, so nobody reads these patches blind any more
    exposure.mark(
        here, frozenset().union(*(exposed_by(one.rows, one.source.copies) for one in shown))
    )
    for column, one in zip(st.columns(len(shown)), shown, strict=True):
        with column:
            _heading(one)
    _compared(shown)
    figures.draw([(one.report.title, one.evaluation) for one in shown])
    for one in shown:
        third_reader.draw(one)
    for one in shown:
        gallery.draw(here, one)
    for one in shown:
        downloads.draw(here, one)


def _real_tissue(here: Services) -> None:
    """How right the readers are on real breast tissue, source by source."""
    results = charts.external(here.settings.external_file)
    if results is None:
        return
    st.markdown("##### On real breast tissue that no network was trained on")
    for column, plot in zip(st.columns(2), source_plots(results), strict=True):
        with column:
            figures.chart(f"external-{plot.title}", "", plot)
    in_use = {card.model_id for card in here.workbench.cards().values()}
    others = bool(in_use) and not in_use <= set(results["models"])
    st.caption(
        "Of the fields that got a score, source by source; a hollow marker is of fewer than all, "
        f"of so many as stand at its left. Lines are {LEVEL_TEXT} intervals with whole patients, "
        "slides or fields resampled. Read by "
        f"{markdown_text(', '.join(results['models']))}."
        + (" **Other models are in use now.**" if others else "")
    )
    with st.expander("All figures on real breast tissue"):
        st.markdown("\n".join(readme_lines(results)))
        st.caption("*Unfamiliar* is the share called unlike what the network knows.")


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
    titles = {name: report_title(name, path) for name, path in paths.items()}
    often = Counter(titles.values())

    def shown(name: str) -> str:
        title = titles.get(name, name)
        return title if often[title] < 2 else f"{title} ({printable(name)})"

    first = left.selectbox("Report", names, key="report_first", format_func=shown)
    others = [NOTHING, *(name for name in names if name != first)]
    second = right.selectbox("Compare with", others, key="report_second", format_func=shown)
    return [name for name in (first, second) if name in paths]


def _filter(sources: Sequence[Source]) -> RowFilter:
    """What the reader wants to look at; the same for both reports."""
    groups = sorted({row.group for one in sources for row in one.report.rows if row.group})
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
    return RowFilter(tuple(map(int, labels)), tuple(picked), QUALITY[quality])


def _compared(shown: Sequence[Shown]) -> None:
    """Of two reports: their models pair by pair, on the patches that both hold."""
    if len(shown) < 2:
        return
    first, second = shown
    whole = first.report.evaluation
    parts = (first.rows, first.report.models), (second.rows, second.report.models)
    pairs = across(*parts, whole.n_boot, whole.seed)
    if not pairs:
        st.caption("The reports have no patch, or no network to compare, in common.")
    titles = [{m.key: m.name for m in models} for _, models in parts]
    for pair in pairs:
        st.markdown(markdown_text(pair_line(pair, titles[0][pair.first], titles[1][pair.second])))


def _heading(one: Shown) -> None:
    """What is shown, and what must be said before any figure."""
    report, left_out = one.report, one.source.left_out
    found, whole = one.evaluation, report.evaluation
    st.subheader(one.title, divider=False, anchor=False)
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
            f"you are still to read them blind. {UNTIL}",
            icon=":material/visibility_off:",
        )
    if found.caution:
        st.warning(found.caution, icon=":material/warning:")
    for note in report.notes:
        st.warning(markdown_text(note), icon=":material/report:")
