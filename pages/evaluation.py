"""Evaluation: how good the models are on labelled patches, and how reviewers agree with them."""

from __future__ import annotations

import streamlit as st

from pages.evaluation_parts import agreement, cards, reports
from pages.shell import ui

TABS = ("Model evaluation", "Agreement from reviews", "Model cards")


def main() -> None:
    """Draw the tab that is open; the others cost nothing."""
    st.title("Evaluation", anchor=False)
    here = ui.services_or_stop()
    labelled, from_reviews, stated = st.tabs(TABS, on_change="rerun", key="evaluation_tab")
    if labelled.open:
        with labelled:
            reports.draw(here)
    if from_reviews.open:
        with from_reviews:
            agreement.draw(here)
    if stated.open:
        with stated:
            cards.draw(here)


main()
