"""What the reviewer asks of a map: the method, and the question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from her2core.models.architectures import model_name
from her2core.models.verdict import Verdict
from her2core.scores import HER2Score
from her2core.xai.explanation import Method
from her2core.xai.methods import CLASS_ACTIVATION, METHODS

_CONTRAST = (
    "Explains the difference of two scores: red speaks for the class explained, blue for the other "
    "one. Click once more to see one class alone."
)
Target = Literal["verdict"] | HER2Score


@dataclass(frozen=True)
class MapQuestion:
    """What a map is asked for.

    Attributes:
        method: how it is made.
        classes: architecture -> (class explained, the other class of a contrast or None).
        remark: Markdown, where a contrast asks nothing; else empty.
    """

    method: Method
    classes: Mapping[str, tuple[HER2Score, HER2Score | None]]
    remark: str


def ask(verdicts: Sequence[Verdict]) -> MapQuestion | None:
    """The overlay, or none; which class is explained, and against which: "why not 3+?".

    All controls are always there, so that the image below them stays where it is.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        method = _method()
    contrasts = method is not None and METHODS[method].contrasts
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Class explained", width="content")
        target: Target = st.segmented_control(
            "Class explained",
            ["verdict", *HER2Score],
            default="verdict",
            required=True,
            format_func=lambda c: "Each verdict" if c == "verdict" else c.label,
            key="target",
            persist_state="session",
            disabled=method is None,
            label_visibility="collapsed",
        )
        st.caption("Why not …?", width="content", help=_CONTRAST)
        other = st.segmented_control(
            "Why not …?",
            list(HER2Score),
            format_func=lambda score: f"{score.label}?",
            key="against",
            persist_state="session",
            disabled=not contrasts,
            label_visibility="collapsed",
        )
    if method is None:
        return None
    against = HER2Score(other) if contrasts and other is not None else None
    scores = {
        v.architecture: v.score if target == "verdict" else HER2Score(target) for v in verdicts
    }
    same = [model_name(name) for name, score in scores.items() if score == against]
    remark = ""
    if against is not None and same:
        remark = (
            f"“Why not {against.label}?” asks nothing of {' and '.join(same)}: {against.label} is "
            "the class explained."
        )
    classes = {
        name: (score, None if score == against else against) for name, score in scores.items()
    }
    return MapQuestion(method, classes, remark)


def _method() -> Method | None:
    """The overlay, or none; its kinds are behind a button."""
    # What was chosen elsewhere on the page counts at once.
    activation: Method = st.session_state.get("activation") or "grad_cam"
    names = {"none": "No overlay", "grad_cam": METHODS[activation].title} | {
        name: one.title for name, one in METHODS.items() if name not in CLASS_ACTIVATION
    }
    chosen = st.segmented_control(
        "Overlay",
        list(names),
        # None where the session knows it: two sources are one too many
        default=None if "overlay" in st.session_state else "none",
        required=True,
        format_func=names.__getitem__,
        key="overlay",
        persist_state="session",
        label_visibility="collapsed",
    )
    with st.popover("Options", icon=":material/tune:"):
        st.radio(
            "Class-activation map",
            CLASS_ACTIVATION,
            format_func=lambda method: f"{METHODS[method].title}: {METHODS[method].about}",
            key="activation",
            persist_state="session",
        )
    if chosen == "none":
        return None
    return activation if chosen == "grad_cam" else chosen
