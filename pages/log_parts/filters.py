"""Which entries of the log to show: one row of controls becomes a ReviewFilter."""

from datetime import date
from typing import Any, Literal

import streamlit as st

from her2core.reviews.records import ReviewFilter
from pages.log_parts import times
from pages.shell import filter_controls

_AGREEMENT: dict[str, Literal["any", "agrees", "disagrees"]] = {
    "Any": "any",
    "Same as every model": "agrees",
    "Differs from a model": "disagrees",
}
_KEYS = ("text", "reviewers", "scores", "agreement", "gaps", "days", "corrected")


def ask(names: list[str]) -> ReviewFilter:
    """Draw the controls.

    Args:
        names: reviewers to choose from.

    Returns:
        The filter as set now.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        text = st.text_input(
            "Search",
            key=_key("text"),
            placeholder="Comment, file name or sha256",
            icon=":material/search:",
            persist_state="session",
            width="stretch",
        )
        narrowed = sum(bool(st.session_state.get(_key(name))) for name in _KEYS[1:5])
        narrowed -= st.session_state.get(_key("agreement")) == "Any"
        narrowed += bool(st.session_state.get(_key("days")))
        label = f"Filters ({narrowed})" if narrowed else "Filters"
        with st.popover(label, icon=":material/filter_alt:", width="content"):
            chosen = _details(names)
        corrected = st.checkbox(
            "Corrected entries too",
            key=_key("corrected"),
            persist_state="session",
            help="An entry is never changed. A correction is a new entry that names the old one.",
            width="content",
        )
    return ReviewFilter(**chosen, text=text.strip(), include_superseded=corrected)


def clear() -> None:
    """Forget every filter; for a button's on_click."""
    for name in _KEYS:
        st.session_state.pop(_key(name), None)
    filter_controls.begin_anew("log")


def _details(names: list[str]) -> dict[str, Any]:
    reviewers = st.multiselect(
        "Reviewers",
        names,
        key=_key("reviewers"),
        placeholder="All reviewers",
        persist_state="session",
    )
    scores = filter_controls.scores("Own score", key=_key("scores"))
    agreement = st.segmented_control(
        "Own score and the models",
        list(_AGREEMENT),
        default="Any",
        required=True,
        key=_key("agreement"),
        persist_state="session",
    )
    gaps = filter_controls.gaps("Gap between the models", key=_key("gaps"))
    nothing: Any = ()  # makes it a range; the signature knows only ranges that have begun
    days = st.date_input(
        "Recorded from, to", value=nothing, key=_key("days"), persist_state="session"
    )
    first, last = _bounds(days)
    st.button("Clear filters", icon=":material/filter_alt_off:", on_click=clear)
    return {
        "reviewers": tuple(reviewers),
        "scores": scores,
        "agreement": _AGREEMENT[agreement],
        "model_gap": gaps,
        "since": None if first is None else times.first_moment(first),
        "until": None if last is None else times.last_moment(last),
    }


def _bounds(days: object) -> tuple[date | None, date | None]:
    """First and last day chosen; an unfinished range is open at its end."""
    chosen = [day for day in days if isinstance(day, date)] if isinstance(days, tuple) else []
    return (chosen[0] if chosen else None), (chosen[1] if len(chosen) > 1 else None)


def _key(name: str) -> str:
    return filter_controls.key("log", name)
