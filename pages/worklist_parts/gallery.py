"""A screenful of the worklist as pictures; several can be chosen, one can be opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from her2core.serving import pictures
from pages.review_parts import navigation
from pages.shell import protocol, session
from pages.viewer.component import LOAD, nothing
from pages.viewer.routes import GALLERY
from pages.worklist_parts.rows import HIDDEN, Row

_component = st.components.v2.component("her2_gallery", js=LOAD, isolate_styles=False)


def draw(rows: Sequence[Row], key: str) -> list[str]:
    """Show the pictures; the one that is opened comes up on the Review page.

    Args:
        rows: in order.
        key: of this screenful; another one has another, and nothing chosen.

    Returns:
        sha256 of those chosen, in order.
    """
    key = f"gallery-{key}"
    keys = [row.sha256 for row in rows]
    chosen = _among(st.session_state.get(key, {}).get("chosen"), keys)
    result = _component(
        key=key,
        data={
            "code": protocol.base_path() + GALLERY,
            "screen": key,
            "cards": [_card(row) for row in rows],
            "chosen": chosen,
        },
        default={"chosen": []},
        on_chosen_change=nothing,
        on_open_change=nothing,
        on_renew_change=nothing,  # the addresses have expired: being drawn anew is all it takes
    )
    if opened := _among([result.open], keys):
        navigation.to_review(opened[0])
    return _among(result.chosen, keys)


def _card(row: Row) -> dict[str, Any]:
    """What a picture says, as plain text: the browser writes it as such."""
    far = row.reader_gap if row.reader_gap not in ("", HIDDEN, "agree") else ""
    doubts = [
        "not assessable" if row.assessable == "no" else "",
        f"readers {far} apart" if far else "",
        "unfamiliar" if row.unfamiliar == "unfamiliar" else "",
    ]
    doubts = list(filter(None, doubts))
    hidden = HIDDEN in row.scores.values()
    sure = f"{row.confidence} confidence" if row.confidence else ""
    return {
        "key": row.sha256,
        "name": row.name,
        "image": session.signed(pictures.thumbnail_path(row.sha256)),
        "reviewed": row.reviewed,
        "state": ", ".join(filter(None, (row.state, row.task))),
        "scores": [] if hidden else list(row.scores.items()),
        "label": "" if hidden else row.label,
        "doubt": "" if hidden else ", ".join(doubts),
        "sure": "verdicts hidden" if hidden else sure,
        "case": row.case,
    }


def _among(answer: object, keys: Sequence[str]) -> list[str]:
    """What a browser says, which may be anything, as patches of this screenful."""
    names = [one for one in answer if isinstance(one, str)] if isinstance(answer, list) else []
    return [key for key in keys if key in names]
