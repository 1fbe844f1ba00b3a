"""Model cards as people read them; shared by the Models and the Evaluation page.

A card's text comes from whoever made the bundle: it is shown letter by letter, never as markup.
"""

import re
from collections.abc import Mapping, Sequence

import streamlit as st

from her2core.common.interval_level import LEVEL_TEXT
from her2core.common.text import markdown_text, percent_text, printable
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.card import Metric, ModelCard
from her2core.models.temperature import in_words

DEMO_NOTE = (
    "Demonstration model: trained to show how this program works, not validated for any use."
)
_SENTENCE_ENDS, _SENTENCES = re.compile(r"(?<=[.;])\s+(?=[A-Z0-9])"), 2
_CROPS_CALLED = "crops called "  # begins the names of figures of one core


def facts(card: ModelCard) -> None:
    """What the model is, one line each."""
    title = ARCHITECTURES[card.architecture].title
    lines = {
        "Architecture": f"{title}, {card.parameters:,} parameters",
        "Trained": f"{card.date}, code version {card.code_version}",
        "Temperature": in_words(card.temperature),
    }
    if card.adapted is not None:
        own = card.adapted
        lines["Adapted"] = (
            f"from {own.base} to {own.patches:,} own patches of "
            f"{f'{own.groups:,} slides or cases' if own.groups else 'unknown slides'}"
            + ("" if own.pull else "; calibration only")
        )
    if card.novelty is not None:
        lines["Tells unfamiliar patches"] = (
            f"by {card.novelty.known:,} known ones; calls "
            f"{percent_text(card.novelty.flagged, 1)} of "
            f"{card.novelty.calibration:,} held-out patches unfamiliar"
        )
    if card.provenance is not None:
        its = card.provenance
        groups = f", {its.groups:,} patients, slides or cores" if its.groups else ""
        lines["Keeps the sums of"] = (
            f"{its.patches:,} patches that it learnt from{groups}: reports leave them out"
        )
    _list(lines)


def training(card: ModelCard) -> None:
    """What it was made of, folded: it may be long."""
    with st.expander("Training data, licence and split", icon=":material/dataset:"):
        _list({"Training data": card.training_data, "Licence": card.licence, "Split": card.split})
        st.caption("\n".join(f"- {markdown_text(note)}" for note in card.notes))


def _list(lines: Mapping[str, str]) -> None:
    st.markdown("\n".join(f"- **{name}:** {_said(text)}" for name, text in lines.items()))


def metrics(card: ModelCard, *, key: str) -> None:
    """The card's measured figures under what they were measured on, each with its interval."""
    if not card.metrics:
        st.info("The card states no measured figure.", icon=":material/help:")
        return
    crops = [metric for metric in card.metrics if metric.name.startswith(_CROPS_CALLED)]
    others = [metric for metric in card.metrics if metric not in crops]
    for number, images in enumerate(dict.fromkeys(metric.set for metric in others)):
        st.markdown(f"Measured on **{markdown_text(images)}**")
        _table([metric for metric in others if metric.set == images], key=f"{key}-{number}")
    if crops:
        st.caption(_crops_said(crops))
        with st.expander("What the crops of each core were called"):
            _table(crops, key=f"{key}-crops", several_sets=True)


def _table(figures: Sequence[Metric], *, key: str, several_sets: bool = False) -> None:
    st.dataframe(
        [
            ({"Measured on": printable(metric.set)} if several_sets else {})
            | {
                "Figure": printable(metric.name),
                "Value": f"{metric.value:.3f}",
                f"{LEVEL_TEXT} interval": "not given"
                if metric.ci_low is None or metric.ci_high is None
                else f"{metric.ci_low:.3f} to {metric.ci_high:.3f}",
                "n": metric.n,
            }
            for metric in figures
        ],
        hide_index=True,
        height="content",
        key=key,
        column_config={
            "Value": st.column_config.TextColumn(width=55),
            f"{LEVEL_TEXT} interval": st.column_config.TextColumn(width=108),
            "n": st.column_config.NumberColumn(
                help="Images (or cores) measured on", width=42, format="%d"
            ),
        },
        alt="Measured figures of the model card",
    )


def _crops_said(crops: Sequence[Metric]) -> str:
    """Which crops the figures of whole cores are of."""
    least, most = min(metric.n for metric in crops), max(metric.n for metric in crops)
    number = f"{least} to {most}" if least < most else f"{most}"
    return (
        f"The figures of cores come from {number} crops a core, drawn for this card alone. Reports "
        "on the Evaluation page read other crops of the same cores, so a core near a limit can be "
        "scored otherwise there."
    )


def _said(text: str) -> str:
    """A text of one sentence or two as it is, a longer one as a list of its sentences."""
    sentences = _SENTENCE_ENDS.split(text.strip())
    if len(sentences) > _SENTENCES:
        return "".join(f"\n    - {markdown_text(sentence)}" for sentence in sentences)
    return markdown_text(text) if text.strip() else ":gray[not stated]"
