"""A screenful of the worklist as a table; a click opens a patch."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from her2core.common.text import cell_text
from pages.review_parts import navigation
from pages.worklist_parts.rows import HIDDEN, Row

_DRAWN = "worklist_drawn"  # sha256 of the rows as they were drawn last in this session
_ROUND = "worklist_round"  # how often a chosen row was let go
_SHORT = re.compile(r"[;,:?.](?:\s|$)")  # ends what is wrong with a patch, before what to do
# columns that are left out where no row says anything in them, or anything but that it is hidden
_RARE = ("Task", "Label", "Slide or case", "Unfamiliar", "Assessable", "Warnings")


def draw(rows: Sequence[Row], key: str) -> None:
    """Show the rows; the patch that is clicked is opened.

    Args:
        rows: in order.
        key: of this screenful; another one has another.
    """
    frame = pd.DataFrame([_cells(row) for row in rows])
    frame = frame.drop(columns=[one for one in _RARE if set(frame[one]) <= {"", HIDDEN}])
    event = st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        height="content" if len(frame) <= 15 else 640,
        selection_mode="single-row",
        on_select="rerun",
        key=f"worklist-{st.session_state.get(_ROUND, 0)}-{key}",
        column_config=_COLUMNS,
        alt="Patches of the worklist with verdicts and review state",
    )
    keys = [row.sha256 for row in rows]
    # A row is told by its place in the table that was clicked. That table may be refreshed at any
    # moment, and a widget of its own for each list would lose its place and its sorting.
    clicked: list[str] = st.session_state.get(_DRAWN, keys)
    st.session_state[_DRAWN] = keys
    if places := event.selection.rows:
        _open(clicked, int(places[0]), keys)


def _open(clicked: Sequence[str], row: int, keys: Sequence[str]) -> None:
    """Open the patch that stood in this row when it was clicked."""
    if row < len(clicked) and clicked[row] in keys:
        navigation.to_review(clicked[row])
        return
    # It was given to others meanwhile: the choice is let go, or it would open what stands there now
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    st.rerun(scope="app")


def _cells(row: Row) -> dict[str, object]:
    return {
        "State": row.state,
        "Task": row.task,
        "Patch": cell_text(row.name),
        **row.scores,
        "Label": row.label,
        "Model gap": row.model_gap,
        "Reader gap": row.reader_gap,
        "Unfamiliar": row.unfamiliar,
        "Assessable": row.assessable,
        "Confidence": row.confidence,
        "Slide or case": cell_text(row.case),
        "Warnings": cell_text("; ".join(_SHORT.split(one)[0] for one in row.warnings)),
        "Received (UTC)": row.received_at,
    }


_TEXT, _TIME = st.column_config.TextColumn, st.column_config.DatetimeColumn
_COLUMNS = {
    "Stain": _TEXT(help="Score of the stain measurement, which needs no network."),
    "Label": _TEXT(help="The score that the table of the upload named."),
    "Model gap": _TEXT(help="Grades between the two verdicts."),
    "Reader gap": _TEXT(
        help="Grades between the models and the stain measurement together; from two on the patch "
        "comes first by doubt."
    ),
    "Unfamiliar": _TEXT(help="Unlike what a model knows; next by doubt."),
    "Assessable": _TEXT(help="no: hardly any staining, and too few tumour cells for a score of 0."),
    "Confidence": _TEXT(help="Of the less sure model in its own verdict."),
    "Warnings": _TEXT(width=260, help="In short; the Review page says what to do."),
    "Received (UTC)": _TIME(format="YYYY-MM-DD HH:mm"),
}
