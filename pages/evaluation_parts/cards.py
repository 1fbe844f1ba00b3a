"""What the cards of the models in use state of themselves."""

import streamlit as st

from her2core.common.text import markdown_text
from her2core.models.architectures import model_name
from her2core.models.bundles.card import BundleError
from her2core.models.bundles.registry import chosen, find_bundles
from her2core.serving.services import Services
from pages.models_parts import model_cards
from pages.shell import ui


def draw(here: Services) -> None:
    """The figures of the cards of the models in use."""
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
