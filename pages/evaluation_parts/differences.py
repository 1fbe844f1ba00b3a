"""Agreement from reviews as pictures: how often scores differed, and who was right then."""

from collections.abc import Mapping, Sequence

import streamlit as st

from her2core.charts.differences import decided_figure, differences_figure
from her2core.evaluation.adjudicated import decided
from her2core.evaluation.agreement import AgreementReport
from her2core.models.architectures import model_name
from her2core.reviews.double_reads import Plan
from her2core.reviews.log_columns import LogColumns
from pages.shell import charts, ui


def draw(titled: Mapping[str, AgreementReport]) -> None:
    """How often, how far and in which direction the scores differ: one bar to a comparison."""
    st.subheader("How often did we differ?", divider=False)
    tables = {title: report.confusion for title, report in titled.items() if report.n}
    if not tables:
        st.caption("There is nothing to compare yet.")
        return
    charts.show(
        differences_figure(tables, dark=ui.is_dark()),
        "agreement-differences",
        "Shares of scores that are the same, lower or higher",
        saved_as="agreement-differences",
    )
    st.caption(
        "Lower and higher: the network against the reviewer, or the CNN against DenseNet121. "
        "Corrected entries do not count."
    )


def after_adjudication(
    plan: Plan, reviews: LogColumns, architectures: Sequence[str], picked: Mapping[str, str]
) -> None:
    """Who was right where a third has decided."""
    reads = [read for read in plan.double_reads.values() if read.decision is not None]
    if not reads:
        return
    st.subheader("Who was right after adjudication?", divider=False)
    charts.show(
        decided_figure(
            {
                model_name(name): decided(reviews, reads, name, picked.get(name))
                for name in architectures
            },
            dark=ui.is_dark(),
        ),
        "agreement-adjudicated",
        "Shares of answers in which reviewer, network, both or neither had the adjudicated score",
        saved_as="agreement-adjudicated",
    )
    st.caption(
        "Answers to double reads whose readers differed and on which an adjudicator decided: who "
        "had the adjudicator's score. Patches on which both readers agreed are not among them."
    )
