"""Evaluation: how good the models are on labelled patches, and how reviewers agree with them."""

from __future__ import annotations

import streamlit as st

from her2core.common.text import markdown_text
from her2core.models.architectures import model_name
from her2core.models.bundles.card import BundleError
from her2core.models.bundles.registry import chosen, find_bundles
from her2core.serving.services import Services
from pages.evaluation_parts import agreement, reports
from pages.models_parts import model_cards
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
            _cards(here)


def _cards(here: Services) -> None:
    """What the cards of the models in use state of themselves."""
    st.caption(
        "These are the figures each model's card states, measured by whoever trained it on the "
        "data named there. They do not say how the model does on your laboratory's slides."
    )
    try:
        in_use = chosen(here.settings)
    except BundleError as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return
    entries = [e for e in find_bundles(here.settings) if e.folder in in_use.values()]
    if not entries:
        st.info("No model bundle was found. The Models page says where to put one.")
        st.page_link(ui.MODELS_PAGE, label="Models", icon=":material/arrow_forward:")
        return
    for entry in entries:
        if entry.card is None:
            st.warning(markdown_text(entry.problem or ""), icon=":material/broken_image:")
            continue
        card = entry.card
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            title = model_name(card.architecture)
            st.markdown(f"**{title}** · {markdown_text(card.name)}", width="content")
            if card.demo:
                st.badge("demo", color="violet", icon=":material/science:")
        if card.demo:
            st.caption(model_cards.DEMO_NOTE)
        model_cards.metrics(card, key=f"evaluation_metrics_{card.architecture}")
        st.caption(f"Trained on: {markdown_text(card.training_data)}")


main()
