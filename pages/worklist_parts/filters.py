"""Which patches of the worklist to show: controls, kept by the session and by the address."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from her2core.common.text import markdown_text
from her2core.models.architectures import ARCHITECTURES
from her2core.people.worklist import Worklist
from her2core.reviews.worklist_filter import (
    EVERYTHING,
    STAIN,
    Given,
    State,
    WorklistFilter,
    from_address,
    to_address,
)
from pages.shell import filter_controls, session, ui

_READERS = {name: network.title for name, network in ARCHITECTURES.items()} | {STAIN: "Stain"}
_STATES: dict[State, str] = {"open": "To review", "reviewed": "Reviewed"}
_GIVEN: dict[Given, str] = {"me": "You", "nobody": "Nobody"}
_COUNTED = ("state", "scores", "gap", "unfamiliar", "not_assessable", "case", "given")
_FILTER, _WRONG = "worklist_filter", "worklist_filter_wrong"


def ask(whole: Worklist, changed: Callable[[], None]) -> WorklistFilter:
    """Draw the controls, one beside the other.

    Args:
        whole: all patches of this person.
        changed: called before the page is drawn with another filter.
    """
    if _FILTER not in st.session_state:  # a link or a reload
        asked, wrong = from_address(st.query_params.to_dict(), _READERS)
        st.session_state[_WRONG] = wrong
        _set(asked)
    turn = partial(_turn, changed)
    text = st.text_input(
        "Search",
        key=_key("text"),
        placeholder="Search file name or sha256",
        label_visibility="collapsed",
        icon=":material/search:",
        persist_state="session",
        on_change=turn,
        width=260,
    )
    # of the controls as they were just set, which are drawn below
    number = sum(bool(st.session_state.get(_key(name))) for name in _COUNTED)
    label = f"Filters ({number})" if number else "Filters"
    with st.popover(label, icon=":material/filter_alt:", width="content"):
        wanted = _details(whole.cases(), text.strip(), turn)
    if wanted != EVERYTHING:
        st.button(
            "Clear filters",
            icon=":material/filter_alt_off:",
            key="worklist-clear",
            on_click=_clear,
            args=(changed,),
        )
    st.session_state[_FILTER] = wanted
    for name, value in to_address(wanted).items():
        ui.keep_in_address(name, value)
    return wanted


def say_what_was_wrong() -> None:
    """A sentence for each part of the address that was no filter, until the filter is changed."""
    for sentence in st.session_state.get(_WRONG, ()):
        st.caption(f":material/link_off: {markdown_text(sentence)}")


def _details(cases: list[str], text: str, turn: Callable[[], None]) -> WorklistFilter:
    change: dict[str, Any] = {"on_change": turn}
    keep = {"persist_state": "session", **change}
    state = st.segmented_control(
        "State", list(_STATES), format_func=_STATES.__getitem__, key=_key("state"), **keep
    )
    scores = filter_controls.scores("Score", key=_key("scores"), **change)
    reader = st.segmented_control(
        "Score of", list(_READERS), format_func=_READERS.__getitem__, key=_key("reader"), **keep,
        help="Without a choice: of any of them.",
    )  # fmt: skip
    gap = filter_controls.gaps("Gap between the readers", key=_key("gap"), **change)
    unfamiliar = st.checkbox("Unfamiliar to a model", key=_key("unfamiliar"), **keep)
    not_assessable = st.checkbox("Not assessable", key=_key("not_assessable"), **keep)
    if ui.blind_mode():
        st.caption(
            "Blind mode: what readers say finds only patches that you have reviewed.",
        )
    case = st.session_state[_FILTER].case
    if cases or case:
        options = cases if case in cases or not case else [*cases, case]
        case = st.selectbox(
            "Slide or case", options, index=None, key=_key("case"), placeholder="All", **keep
        )
    given = None
    if session.identity().way != "open":
        given = st.segmented_control(
            "Given to", list(_GIVEN), format_func=_GIVEN.__getitem__, key=_key("given"), **keep
        )
    return WorklistFilter(
        state=state or "",
        reader=reader or "",
        scores=tuple(sorted(scores)),
        gap=tuple(sorted(gap)),
        unfamiliar=unfamiliar,
        not_assessable=not_assessable,
        case=case or "",
        given=given or "",
        text=text,
    )


def _set(wanted: WorklistFilter) -> None:
    """Let the controls, which are not drawn yet, begin with this filter."""
    st.session_state[_FILTER] = wanted
    filter_controls.begin_anew("worklist")
    for name, value in vars(wanted).items():
        if name != "among":
            listed = isinstance(value, tuple)
            st.session_state[_key(name)] = list(value) if listed else (value or _blank(name))


def _blank(name: str) -> object:
    """What a control without a choice holds."""
    return {"text": "", "unfamiliar": False, "not_assessable": False}.get(name)


def _clear(changed: Callable[[], None]) -> None:
    """Forget every filter; for a button's on_click."""
    _set(EVERYTHING)
    _turn(changed)


def _turn(changed: Callable[[], None]) -> None:
    st.session_state.pop(_WRONG, None)
    changed()


def _key(name: str) -> str:
    return filter_controls.key("worklist", name)
