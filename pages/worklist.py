"""Worklist: every patch with its state, both verdicts and what is doubtful; a click opens it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from her2core.accounts.records import Permission
from her2core.models.verdict import Verdict
from her2core.reviews.records import WorklistItem
from her2core.reviews.worklist import model_gap, next_unreviewed, ordered
from her2core.text import cell_text, markdown_text
from pages import seen, session, ui
from pages.review_parts import navigation
from pages.worklist_parts import assign
from pages.worklist_parts.tasks import task

_ORDERS = {"arrival": "Arrival", "doubt": "Doubt", "name": "Name"}
_GAPS = {0: "agree", 1: "one grade", 2: "two grades", 3: "three grades"}


def main() -> None:
    """Draw the page."""
    here = ui.services_or_stop()
    desk = session.desk(here.store)
    items = desk.worklist()
    st.title("Worklist", anchor=False)
    if desk.may(Permission.ASSIGN):
        assign.draw(desk)
    if not items:
        _empty_state(given_away=bool(desk.plan().kinds))
        return
    left = sum(item.review_id is None for item in items)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.segmented_control(
            "Order",
            list(_ORDERS),
            default="arrival",
            required=True,
            format_func=_ORDERS.__getitem__,
            key="order",
            persist_state="session",
            help="Doubt: the models differ most first, then those they are least sure of. "
            "Previous and next on the Review page follow this order.",
        )
        plan = desk.plan()
        waiting = sum(
            not item.verdicts and desk.sight(item.patch.sha256, plan).verdicts for item in items
        )
        st.markdown(_counts(len(items), left, waiting), width="content")
    items = ordered(items, ui.order())
    following = next_unreviewed(items, None)
    if st.button(
        "Review the next one" if following else "All patches are reviewed",
        type="primary",
        icon=":material/play_arrow:" if following else ":material/done_all:",
        disabled=following is None,
    ):
        navigation.to_review(str(following))
    # While patches are being read the table fills by itself; a click elsewhere is not disturbed.
    st.fragment(ui.calm(_table), run_every=3.0 if waiting else None)(here)


def _counts(patches: int, left: int, waiting: int) -> str:
    who = f" by {markdown_text(ui.reviewer())}" if ui.reviewer() else ""
    parts = [
        f"**{patches}** {'patch' if patches == 1 else 'patches'}",
        f"**{left}** to review{who}" if left else f"all reviewed{who}",
    ]
    if waiting:
        parts.append(f"**{waiting}** waiting for a verdict")
    return " · ".join(parts)


def _table(here: ui.Services) -> None:
    desk = session.desk(here.store)
    plan = desk.plan()
    items = ordered(desk.worklist(), ui.order())
    sealed = {i.patch.sha256 for i in items if not desk.sight(i.patch.sha256, plan).verdicts}
    hidden = sealed
    if ui.blind_mode():
        unread = {item.patch.sha256 for item in items if item.review_id is None}
        hidden = sealed | (unread - seen.among(here, unread))
    seen.mark(
        here,
        (i.patch.sha256 for i in items if i.verdicts and i.patch.sha256 not in hidden),
    )
    if sealed:
        st.caption(
            ":material/visibility_off: Blind double reads: verdicts are hidden until both readers "
            "have answered."
        )
    if hidden - sealed:
        st.caption(
            ":material/visibility_off: Blind mode: verdicts of patches you have not reviewed "
            "are hidden."
        )
    tasks = {i.patch.sha256: task(desk, plan, i.patch.sha256) for i in items}
    frame = pd.DataFrame(
        [_row(item, tasks[item.patch.sha256], item.patch.sha256 in hidden) for item in items]
    )
    if not any(tasks.values()):
        frame = frame.drop(columns="Task")
    event = st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        height="content" if len(frame) <= 15 else 640,
        selection_mode="single-row",
        on_select="rerun",
        key=f"worklist-{ui.order()}",
        column_config={
            "Model gap": st.column_config.TextColumn(help="Grades between the two verdicts."),
            "Confidence": st.column_config.NumberColumn(
                format="%.0f %%", help="Of the less sure model in its own verdict."
            ),
            "Received (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
        alt="Patches of the worklist with verdicts and review state",
    )
    rows = event.selection.rows
    if rows:
        navigation.to_review(items[rows[0]].patch.sha256)


def _row(item: WorklistItem, task: str, hidden: bool) -> dict[str, object]:
    verdicts = () if hidden else item.verdicts
    by_name = {verdict.architecture: verdict for verdict in verdicts}
    gap = model_gap(verdicts)
    return {
        "State": "reviewed" if item.review_id is not None else "to review",
        "Task": task,
        "Patch": cell_text(item.patch.name),
        "CNN": _cell(by_name.get("cnn"), hidden),
        "DenseNet121": _cell(by_name.get("densenet121"), hidden),
        "Model gap": "hidden" if hidden else "" if gap is None else _GAPS[gap],
        "Confidence": min((100 * verdict.confidence for verdict in verdicts), default=None),
        "Warnings": cell_text(" ".join(item.patch.warnings)),
        "Received (UTC)": item.patch.received_at,
    }


def _cell(verdict: Verdict | None, hidden: bool) -> str:
    if hidden:
        return "hidden"
    return verdict.score.label if verdict else "waiting"


def _empty_state(given_away: bool) -> None:
    st.info(
        "No patch is yours to read now; those that are here were given to others."
        if given_away
        else "No patches yet. Upload some on the Review page, or try a sample there.",
        icon=":material/inbox:",
    )
    st.page_link(ui.REVIEW_PAGE, label="Go to Review", icon=":material/biotech:")


main()
