"""Agreement from reviews, further: several reviewers of one patch, and drift over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from her2core.charts.plotly_figures import drift_figure
from her2core.charts.words import count_of, figure_text
from her2core.common.interval_level import LEVEL_TEXT
from her2core.evaluation.drift import Period, drift
from her2core.evaluation.fleiss import reviewers_kappa
from her2core.models.architectures import model_name
from her2core.reviews.log_columns import LogColumns
from pages.shell import charts, ui

PERIODS: dict[str, Period] = {"By month": "month", "By week": "week"}


def several_reviewers(reviews: LogColumns) -> None:
    """Fleiss' kappa over the patches which several reviewers scored."""
    st.subheader("Reviewers with each other", divider=False)
    kappa, people = reviewers_kappa(reviews)
    if kappa.n == 0:
        st.caption(
            "No patch has been scored by two reviewers yet. When a second reviewer scores the "
            "same patches, Fleiss' kappa stands here."
        )
        return
    st.markdown(
        f"Fleiss' kappa **{figure_text(kappa, digits=2)}** of {count_of(people, 'reviewer')} over "
        f"{count_of(kappa.n, 'patch', 'patches')} that two or more scored."
    )
    st.caption(
        "1 is complete agreement, 0 what chance alone would give; a gap of three grades weighs no "
        f"more than one (Fleiss 1971). {kappa.reason}"
    )


def drift_section(
    reviews: LogColumns, architectures: Sequence[str], picked: Mapping[str, str]
) -> None:
    """Agreement in each week or month."""
    st.subheader("Over time", divider=False)
    answer = st.segmented_control(
        "Period", list(PERIODS), default="By month", required=True, key="evaluation_period"
    )
    period = PERIODS[answer]
    lines = [
        (
            f"{model_name(name)} with the reviewers",
            drift(reviews, name, period, model_id=picked.get(name)),
        )
        for name in architectures
    ]
    if not any(points for _, points in lines):
        st.caption("No review carries a verdict of a model yet.")
        return
    figure = drift_figure(lines, dark=ui.is_dark())
    charts.show(
        figure,
        "evaluation_drift",
        f"Share of same scores in each period, with {LEVEL_TEXT} intervals",
        saved_as="agreement-over-time",
    )
    st.caption(
        f"Share of reviews with the model's score, with {LEVEL_TEXT} intervals. A change may come "
        "from the model, the stain, the scanner or the reviewers; the figures only show that "
        "there is one."
    )
