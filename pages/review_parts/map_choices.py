"""What the reviewer wants to see of a map: the method, the question, and how it is drawn.

The method and the question stand in sight; the rest waits in a popover, so that the picture stays
the largest thing on the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import streamlit as st

from her2core.models.verdict import Verdict
from her2core.scores import HER2Score
from her2core.xai.explanation import Method
from her2core.xai.methods import CLASS_ACTIVATION, METHODS
from pages.shell import ui

Style = Literal["heat", "contour", "both"]
Target = Literal["verdict"] | HER2Score

_STYLES: dict[Style, str] = {"heat": "Heat", "contour": "Contours", "both": "Both"}
_OPACITY = 55


@dataclass(frozen=True)
class Look:
    """How maps are drawn.

    Attributes:
        style: heat, contours or both.
        opacity: of the heat, 0 to 100 %.
        beside: whether the original stands beside the maps.
    """

    style: Style
    opacity: int
    beside: bool


def method_row() -> Method | None:
    """The overlay, or none; with one, its options and the key that hides and shows it."""
    # What was chosen elsewhere on the page counts at once.
    activation: Method = st.session_state.get("activation") or "grad_cam"
    names = {"none": "No overlay", "grad_cam": METHODS[activation].title} | {
        name: one.title for name, one in METHODS.items() if name not in CLASS_ACTIVATION
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        chosen = st.segmented_control(
            "Overlay",
            list(names),
            # None once it is set: the key below sets it too, and two sources are one too many
            default=None if "overlay" in st.session_state else "none",
            required=True,
            format_func=names.__getitem__,
            key="overlay",
            persist_state="session",
            label_visibility="collapsed",
        )
        if chosen != "none":
            st.session_state["last_overlay"] = chosen
        st.button(
            "Hide map" if chosen != "none" else "Show map",
            key="flip-map",
            icon=":material/flip:",
            shortcut="o",
            type="tertiary",
            on_click=_flip,
            help="The bare image and back: flicker between both to compare.",
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
    wanted = {
        v.architecture: v.score if target == "verdict" else HER2Score(target) for v in verdicts
    }
    other = None if against is None else HER2Score(against)
    same = [ui.model_title(name) for name, score in wanted.items() if score == other]
    if other is not None and same:
        st.caption(
            f"“Why not {other.label}?” asks nothing of {' and '.join(same)}: {other.label} is the "
            "class explained."
        )
    return {
        name: (score, other if other is not None and other != score else None)
        for name, score in wanted.items()
    }


def look() -> Look:
    """How the maps are drawn, as set in the options."""
    state = st.session_state
    styles: tuple[Style, ...] = get_args(Style)
    return Look(
        next((style for style in styles if style == state.get("map_style")), "heat"),
        int(state.get("opacity", _OPACITY)),
        bool(state.get("beside", True)),
    )


def _options() -> None:
    st.segmented_control(
        "Drawn as",
        list(_STYLES),
        default="heat",
        required=True,
        format_func=_STYLES.__getitem__,
        key="map_style",
        persist_state="session",
    )
    st.slider(
        "Opacity of the heat (%)", 0, 100, _OPACITY, 5, key="opacity", persist_state="session"
    )
    st.toggle("Original beside the maps", True, key="beside", persist_state="session")
    st.radio(
        "Class-activation map",
        CLASS_ACTIVATION,
        format_func=lambda method: f"{METHODS[method].title}: {METHODS[method].about}",
        key="activation",
        persist_state="session",
    )


def _flip() -> None:
    """Take the map away, or bring the last one back."""
    state = st.session_state
    shown = state.get("overlay", "none") != "none"
    state["overlay"] = "none" if shown else state.get("last_overlay", "grad_cam")
