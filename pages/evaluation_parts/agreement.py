"""Agreement from reviews: the models with the reviewers, and with each other."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from her2core.charts.plotly_figures import agreement_intervals, agreement_table, plotly_figure
from her2core.charts.words import count_of, figure_text
from her2core.common.interval_level import LEVEL_TEXT
from her2core.common.text import cell_text
from her2core.evaluation.agreement import AgreementReport
from her2core.evaluation.comparisons import (
    Reading,
    by_reviewer,
    current_reviews,
    model_versions,
    model_with_reviewers,
    models_with_each_other,
)
from her2core.models.architectures import ARCHITECTURES, model_name
from her2core.reviews.log_columns import LogColumns
from her2core.serving.services import Services
from pages.evaluation_parts import differences, over_time
from pages.shell import charts, exposure, session, ui

Titled = dict[str, tuple[AgreementReport, str, str]]
READINGS: dict[str, Reading | None] = {
    "All reviews": None,
    "Blind only": "blind",
    "Unblinded only": "unblinded",
}
KAPPA_HELP = (
    "Quadratic-weighted kappa (Cohen 1968): 1 is complete agreement, 0 what chance alone would "
    "give; a gap of two grades weighs four times as much as a gap of one."
)


def draw(here: Services) -> None:
    """The agreement of models and reviewers, filtered as the reader likes."""
    everything, withheld = exposure.figures(here)
    st.caption(
        "Agreement is not accuracy: nobody here knows the true score. Reviewers saw the verdicts "
        "before they scored unless the review was blind, which draws their scores towards the "
        f"models. Intervals are {LEVEL_TEXT} bootstrap intervals over patches; patches of one case "
        "are taken as independent, so the intervals are narrower than they should be."
    )
    if withheld:
        st.caption(
            f":material/visibility_off: Blind mode: {count_of(withheld, 'entry', 'entries')} of "
            "patches you have not reviewed are left out, because the figures tell of verdicts and "
            "other scores."
        )
        if not len(everything):
            return
    if not len(everything):
        st.info(
            "No review is recorded yet. Review a patch; your score is compared with the models "
            "here.",
            icon=":material/rate_review:",
        )
        st.page_link(ui.REVIEW_PAGE, label="Review a patch", icon=":material/arrow_forward:")
        return

    names = sorted((everything.names[code] for code in set(everything.reviewers)), key=str.casefold)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    chosen_names = left.multiselect(
        "Reviewers", names, placeholder="All reviewers", key="evaluation_reviewers"
    )
    reading = right.segmented_control(
        "Reading", list(READINGS), default="All reviews", required=True, key="evaluation_reading"
    )
    reviews = current_reviews(everything, reviewers=chosen_names, reading=READINGS[reading])
    versions = model_versions(reviews)
    picked = _pick_versions(versions)
    if not len(reviews):
        st.info("No review fits these filters. Choose other reviewers or another reading.")
        return
    blind = int(reviews.blind.sum())
    patches = len(set(reviews.patches))
    st.markdown(
        f"**{count_of(len(reviews), 'review')}** of {count_of(patches, 'patch', 'patches')}: "
        f"{blind} blind, {len(reviews) - blind} unblinded. Corrected entries do not count."
    )

    present = [name for name in ARCHITECTURES if name in versions]
    reports = {
        model_name(name): (
            model_with_reviewers(reviews, name, model_id=picked.get(name)),
            model_name(name),
            "Reviewers",
        )
        for name in present
    }
    titled = {f"{title} with the reviewers": report for title, report in reports.items()}
    if len(present) == 2:
        first, second = present
        between = models_with_each_other(
            reviews,
            first,
            second,
            first_id=picked.get(first),
            second_id=picked.get(second),
        )
        titled["The models with each other"] = (
            between,
            model_name(first),
            model_name(second),
        )
    differences.draw({title: report for title, (report, _, _) in titled.items()})
    differences.after_adjudication(session.desk(here.store).plan(), reviews, present, picked)
    grid = st.grid(max(1, len(titled)), vertical_alignment="bottom")
    for title, compared in titled.items():
        with grid.cell():
            _confusion(title, *compared)
    with st.expander("All figures with their intervals", key="agreement_behind"):
        _overview(titled)
    if blind and blind < len(reviews):
        _blind_and_unblinded(reviews, present, picked)
    _per_reviewer(reviews, present, picked)
    over_time.several_reviewers(reviews)
    over_time.drift_section(reviews, present, picked)


def _pick_versions(versions: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Where an architecture was reviewed in several versions, ask which one is meant."""
    picked = {}
    for architecture, ids in versions.items():
        if len(ids) > 1:
            everything = "All versions pooled"
            answer = st.selectbox(
                f"{model_name(architecture)} version",
                [*ids, everything],
                key=f"evaluation_version_{architecture}",
                help="The reviews hold verdicts of several bundles of this architecture. "
                "The one met last comes first.",
            )
            if answer != everything:
                picked[architecture] = answer
    return picked


def _overview(titled: Titled) -> None:
    st.dataframe(
        [{"Comparison": title, **_figures(report)} for title, (report, _, _) in titled.items()],
        hide_index=True,
        column_config={
            "Comparison": st.column_config.TextColumn(width="medium"),
            "Weighted kappa": st.column_config.TextColumn(help=KAPPA_HELP),
            "Pairs": st.column_config.NumberColumn(
                help="A review with a verdict of the model; for the models with each other, "
                "a reviewed square of a patch, each once.",
                format="%d",
            ),
            "Not assessable": st.column_config.NumberColumn(
                help="Further ones with too few tumour cells for a score of the model; no figure "
                "counts them.",
                format="%d",
            ),
        },
        alt=f"Agreement figures with their {LEVEL_TEXT} intervals",
    )
    for note in _notes(titled):
        st.caption(note)
    rows = [(title, report.kappa) for title, (report, _, _) in titled.items()]
    if any(figure.value is not None for _, figure in rows):
        plot = agreement_intervals(rows, f"Quadratic-weighted kappa with {LEVEL_TEXT} interval")
        figure = plotly_figure(plot, dark=ui.is_dark())
        charts.show(figure, "evaluation_kappa", "Weighted kappa of each comparison")


def _notes(titled: Titled) -> list[str]:
    """Why a figure or an interval is missing or found otherwise, each reason once."""
    reasons: dict[str, list[str]] = {}
    for title, (report, _, _) in titled.items():
        for words, figure in (
            ("same score", report.exact),
            ("at most one grade apart", report.within_one),
            ("weighted kappa", report.kappa),
        ):
            if figure.reason:
                reasons.setdefault(figure.reason, []).append(f"{title}, {words}")
    return [f"{'; '.join(places)}: {reason}" for reason, places in reasons.items()]


def _confusion(title: str, report: AgreementReport, rows: str, columns: str) -> None:
    st.markdown(f"**{title}** (n&nbsp;=&nbsp;{report.n})")
    if report.n == 0:
        st.caption("There is nothing to compare yet.")
        return
    plot = agreement_table(report.confusion, columns, rows)
    figure = plotly_figure(plot, dark=ui.is_dark())
    charts.show(figure, f"evaluation_confusion_{title}", f"{title}: how often which scores met")


def _blind_and_unblinded(
    reviews: LogColumns, architectures: list[str], picked: dict[str, str]
) -> None:
    st.subheader("Blind and unblinded", divider=False)
    st.caption(
        "Higher agreement in unblinded reviews may mean that readers follow the verdict they saw."
    )
    rows = []
    for architecture in architectures:
        for reading in get_args(Reading):
            kept = current_reviews(reviews, reading=reading)
            report = model_with_reviewers(kept, architecture, model_id=picked.get(architecture))
            label = f"{model_name(architecture)}, {reading}"
            rows.append({"Model": label, **_figures(report)})
    st.dataframe(rows, hide_index=True, alt="Agreement in blind and in unblinded reviews")


def _per_reviewer(reviews: LogColumns, architectures: list[str], picked: dict[str, str]) -> None:
    st.subheader("Each reviewer alone", divider=False)
    rows = []
    for architecture in architectures:
        reports = by_reviewer(reviews, architecture, model_id=picked.get(architecture))
        for name, report in reports.items():
            label = {"Reviewer": cell_text(name), "Model": model_name(architecture)}
            rows.append({**label, **_figures(report)})
    rows.sort(key=lambda row: str(row["Reviewer"]).casefold())
    st.dataframe(rows, hide_index=True, alt="Agreement of each reviewer with each model")


def _figures(report: AgreementReport) -> dict[str, object]:
    return {
        "Pairs": report.n,
        "Patches": report.groups,
        "Not assessable": report.not_assessable,
        "Same score": figure_text(report.exact, as_percent=True),
        "At most one grade apart": figure_text(report.within_one, as_percent=True),
        "Weighted kappa": figure_text(report.kappa, digits=2),
    }
