"""Model cards as people read them; shared by the Models and the Evaluation page.

A card's text comes from whoever made the bundle: it is shown letter by letter, never as markup.
"""

from __future__ import annotations

import streamlit as st

from her2core.models.card import ModelCard
from her2core.models.registry import ARCHITECTURES
from her2core.text import markdown_text, percent_text, printable

DEMO_NOTE = (
    "Demonstration model: trained to show how this program works, not validated for any use."
)


def facts(card: ModelCard) -> None:
    """What the card says of the model's origin, one line each."""
    title = ARCHITECTURES[card.architecture].title
    lines = {
        "Architecture": f"{title}, {card.parameters:,} parameters",
        "Training data": card.training_data,
        "Licence": card.licence,
        "Split": card.split,
        "Trained": f"{card.date}, code version {card.code_version}",
        "Temperature": f"{card.temperature:.3g}"
        + (" (probabilities as they come)" if card.temperature == 1 else ""),
    }
    if card.novelty is not None:
        lines["Tells unfamiliar patches"] = (
            f"by {card.novelty.known:,} known ones; calls "
            f"{percent_text(card.novelty.flagged, 1)} of "
            f"{card.novelty.calibration:,} held-out patches unfamiliar"
        )
    st.markdown(
        "\n".join(f"- **{name}:** {_said(text)}" for name, text in lines.items()),
    )
    for note in card.notes:
        st.caption(markdown_text(note))


def metrics(card: ModelCard, *, key: str) -> None:
    """The card's measured figures, each with the number measured on and its interval."""
    if not card.metrics:
        st.info("The card states no measured figure.", icon=":material/help:")
        return
    st.dataframe(
        [
            {
                "Figure": printable(metric.name),
                "Value": f"{metric.value:.3f}",
                "95 % interval": "not given"
                if metric.ci_low is None or metric.ci_high is None
                else f"{metric.ci_low:.3f} to {metric.ci_high:.3f}",
                "n": metric.n,
                "Measured on": printable(metric.set),
            }
            for metric in card.metrics
        ],
        hide_index=True,
        height="content",
        key=key,
        column_config={
            "Value": st.column_config.TextColumn(width=70),
            "95 % interval": st.column_config.TextColumn(width=120),
            "n": st.column_config.NumberColumn(help="Images (or cores) measured on", width=60),
        },
        alt="Measured figures of the model card",
    )


def _said(text: str) -> str:
    return markdown_text(text) if text.strip() else ":gray[not stated]"
