"""What the reviewer asks of a map: the method, and the question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from her2core.models.architectures import model_name
from her2core.models.verdict import Verdict
from her2core.scores import HER2Score
from her2core.xai.explanation import Method
from her2core.xai.methods import CLASS_ACTIVATION, METHODS

Target = Literal["verdict"] | HER2Score


def method_row() -> Method | None:
    """The overlay, or none."""
    # What was chosen elsewhere on the page counts at once.
    activation: Method = st.session_state.get("activation") or "grad_cam"
    names = {"none": "No overlay", "grad_cam": METHODS[activation].title} | {
        name: one.title for name, one in METHODS.items() if name not in CLASS_ACTIVATION
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
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
            _options()
    if chosen == "none":
        return None
    return activation if chosen == "grad_cam" else chosen


def question(
    method: Method, verdicts: Sequence[Verdict]
) -> dict[str, tuple[HER2Score, HER2Score | None]]:
    """Which class is explained, and against which: "why not 3+?".

    Returns:
        Architecture -> (class, the other class of a contrast or None).
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        target, against = _asked_classes(method)
    wanted = {
        v.architecture: v.score if target == "verdict" else HER2Score(target) for v in verdicts
    }
    other = None if against is None else HER2Score(against)
    same = [model_name(name) for name, score in wanted.items() if score == other]
    if other is not None and same:
        st.caption(
            f"“Why not {other.label}?” asks nothing of {' and '.join(same)}: {other.label} is the "
            "class explained."
        )
    return {
        name: (score, other if other is not None and other != score else None)
        for name, score in wanted.items()
    }


def _asked_classes(method: Method) -> tuple[Target, HER2Score | None]:
    """The class explained, and the other one of a contrast."""
    target: Target = st.segmented_control(
        "Class explained",
        ["verdict", *HER2Score],
        default="verdict",
        required=True,
        format_func=lambda c: "Each verdict" if c == "verdict" else c.label,
        key="target",
        persist_state="session",
    )
    against = None
    if METHODS[method].contrasts:
        against = st.segmented_control(
            "Why not …?",
            list(HER2Score),
            format_func=lambda score: f"{score.label}?",
            key="against",
            persist_state="session",
            help="Explains the difference of two scores: red speaks for the class explained, blue "
            "for the other one. Click once more to see one class alone.",
        )
    return target, against


def _options() -> None:
    st.radio(
        "Class-activation map",
        CLASS_ACTIVATION,
        format_func=lambda method: f"{METHODS[method].title}: {METHODS[method].about}",
        key="activation",
        persist_state="session",
    )
