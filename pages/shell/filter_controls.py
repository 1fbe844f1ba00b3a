"""What the filters of the log and of the worklist have in common."""

from __future__ import annotations

from typing import Any, TypeVar

import streamlit as st

from her2core.scores import HER2Score

Choice = TypeVar("Choice", bound=int)
_GAPS = {0: "none", 1: "1 grade", 2: "2 grades", 3: "3 grades"}


def key(page: str, control: str) -> str:
    """Key of a control of this page's filter in the session."""
    return f"{page}_{control}-{st.session_state.get(_round(page), 0)}"


def begin_anew(page: str) -> None:
    """Give the page's filter new controls in the next run, for a button's on_click.

    The browser keeps the values of a closed popover's widgets and sends them again with the next
    click: only new widgets begin blank.
    """
    st.session_state[_round(page)] = st.session_state.get(_round(page), 0) + 1


def scores(label: str, **widget: Any) -> tuple[HER2Score, ...]:
    """Choose any of the four scores; `widget` is as for st.pills."""
    return _any_of(label, {score: score.label for score in HER2Score}, widget)


def gaps(label: str, **widget: Any) -> tuple[int, ...]:
    """Choose any of the gaps between readers, in grades; `widget` is as for st.pills."""
    return _any_of(label, _GAPS, widget)


def _any_of(label: str, named: dict[Choice, str], widget: dict[str, Any]) -> tuple[Choice, ...]:
    chosen = st.pills(
        label,
        list(named),
        selection_mode="multi",
        format_func=named.__getitem__,
        persist_state="session",
        **widget,
    )
    return tuple(chosen)


def _round(page: str) -> str:
    return f"{page}_filter_round"
