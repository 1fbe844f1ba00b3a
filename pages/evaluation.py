"""Evaluation: how good the models are on labelled patches, and how reviewers agree with them."""

from __future__ import annotations

import streamlit as st

from her2core.reviews.records import Review
from her2core.serving.services import Services
from pages.evaluation_parts import agreement, cards, reports
from pages.shell import seen, session, ui

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
            shown, withheld = _known(here, session.desk(here.store).reviews()[0])
            # the figures tell of these verdicts: nobody reads their patches blind any more
            seen.mark(here, {review.patch.sha256 for review in shown})
            agreement.draw(shown, withheld)
    if stated.open:
        with stated:
            cards.draw(here)


def _known(here: Services, everything: list[Review]) -> tuple[list[Review], int]:
    """The entries a blind reader may know, and how many are withheld; the rule of the log."""
    if not ui.blind_mode():
        return everything, 0
    known = seen.known(here, everything)
    kept = [review for review in everything if review.patch.sha256 in known]
    return kept, len(everything) - len(kept)


main()
