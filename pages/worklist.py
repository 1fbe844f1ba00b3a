"""Worklist: every patch with its state, both verdicts and what is doubtful; a click opens it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from her2core.accounts.records import Permission
from her2core.common.text import cell_text, markdown_text, percent
from her2core.models.assessable import assess_tumour
from her2core.models.verdict import Verdict
from her2core.people.worklist import SCREENFUL, Screen
from her2core.reviews.records import WorklistItem
from her2core.reviews.worklist import model_gap, reader_gap, unfamiliar
from her2core.reviews.worklist_queries import Counts
from her2core.serving.services import Services
from her2core.stain.reading import StainReading
from pages.review_parts import navigation
from pages.shell import seen, session, ui
from pages.worklist_parts import assign
from pages.worklist_parts.tasks import task

_ORDERS = {"arrival": "Arrival", "doubt": "Doubt", "name": "Name"}
_ORDER_HELP = (
    "Doubt: first the patches on which two readers (CNN, DenseNet121, stain measurement) are two "
    "grades or more apart, then those unlike what a model knows, then by the gap between the "
    "models, then those the models are least sure of. In blind mode the patches you have not "
    "reviewed come first, by arrival. Previous and next on the Review page follow this order."
)
_UNFAMILIAR = "unfamiliar"
_NOT_ASSESSABLE = "no"
_DRAWN = "worklist_drawn"  # sha256 of the rows as they were drawn last in this session
_ROUND = "worklist_round"  # how often a chosen row was let go
_START = "from"  # in the address: the patch with which the screenful begins
_GAPS = {0: "agree", 1: "one grade", 2: "two grades", 3: "three grades"}


def main() -> None:
    """Draw the page."""
    here = ui.services_or_stop()
    desk = session.desk(here.store)
    st.title("Worklist", anchor=False)
    if desk.may(Permission.ASSIGN):
        assign.draw(desk)
    counts = ui.worklist(here).counts()
    if not counts.patches:
        _empty_state(given_away=desk.any_given())
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.segmented_control(
            "Order",
            list(_ORDERS),
            default="arrival",
            required=True,
            format_func=_ORDERS.__getitem__,
            key="order",
            persist_state="session",
            help=_ORDER_HELP,
            on_change=_turn_to,
            args=(None,),
        )
        st.markdown(_counts(counts), width="content")
    following = ui.worklist(here).next_to_review() if counts.left else None
    if st.button(
        "Review the next one" if following else "All patches are reviewed",
        type="primary",
        icon=":material/play_arrow:" if following else ":material/done_all:",
        disabled=following is None,
    ):
        navigation.to_review(str(following))
    busy = here.queue.state().waiting > 0
    # While patches are being read the table fills by itself; a click elsewhere is not disturbed.
    st.fragment(ui.calm(_table), run_every=3.0 if counts.waiting or busy else None)(here)


def _counts(counts: Counts) -> str:
    who = f" by {markdown_text(ui.reviewer())}" if ui.reviewer() else ""
    parts = [
        f"**{counts.patches}** {'patch' if counts.patches == 1 else 'patches'}",
        f"**{counts.left}** to review{who}" if counts.left else f"all reviewed{who}",
    ]
    if counts.waiting:
        parts.append(f"**{counts.waiting}** waiting for a verdict")
    if counts.outdated:
        parts.append(f"**{counts.outdated}** read by an earlier model only")
    return " · ".join(parts)


def _turn_to(start: str | None) -> None:
    """Go to the screenful that begins with this patch; None: to the first."""
    if start is None:
        st.query_params.pop(_START, None)
    else:
        st.query_params[_START] = start


def _turning(screen: Screen) -> None:
    """Where this screenful stands among all, and the ways to the ones beside it."""
    if screen.previous is None and screen.following is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Previous",
            icon=":material/chevron_left:",
            disabled=screen.previous is None,
            on_click=_turn_to,
            # the screenful before may be a short one: then it is the first
            args=(screen.previous if screen.first > SCREENFUL else None,),
            key="worklist-previous",
        )
        st.button(
            "Next",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=screen.following is None,
            on_click=_turn_to,
            args=(screen.following,),
            key="worklist-next",
        )
        last = screen.first + len(screen.items)
        st.markdown(f"{screen.first + 1:,} to {last:,} of {screen.patches:,}", width="content")


def _table(here: Services) -> None:
    desk = session.desk(here.store)
    start = st.query_params.get(_START)
    screen = ui.worklist(here).screen(start)
    items, plan = screen.items, screen.plan
    if not items:
        st.rerun(scope="app")  # given to others since the page was drawn
    sealed = {i.patch.sha256 for i in items if not desk.sight(i.patch.sha256, plan).verdicts}
    hidden = sealed
    if ui.blind_mode():
        unread = {item.patch.sha256 for item in items if item.review_id is None}
        hidden = sealed | (unread - seen.among(here, unread))
    seen.mark(
        here,
        (i.patch.sha256 for i in items if _says(i) and i.patch.sha256 not in hidden),
    )
    if sealed:
        st.caption(
            ":material/visibility_off: Blind double reads: verdicts are hidden until both readers "
            "have answered."
        )
    if hidden - sealed:
        st.caption(
            ":material/visibility_off: Blind mode: verdicts of patches you have neither reviewed "
            "nor seen before are hidden."
        )
    tasks = {i.patch.sha256: task(desk, plan, i.patch.sha256) for i in items}
    frame = pd.DataFrame(
        [
            _row(item, screen.names[key], tasks[key], key in hidden)
            for item in items
            if (key := item.patch.sha256)
        ]
    )
    if not any(tasks.values()):
        frame = frame.drop(columns="Task")
    for column, mark in (("Unfamiliar", _UNFAMILIAR), ("Assessable", _NOT_ASSESSABLE)):
        if not (frame[column] == mark).any():
            frame = frame.drop(columns=column)
    event = st.dataframe(
        frame,
        hide_index=True,
        width="stretch",
        height="content" if len(frame) <= 15 else 640,
        selection_mode="single-row",
        on_select="rerun",
        key=f"worklist-{ui.order()}-{st.session_state.get(_ROUND, 0)}{start or ''}",
        column_config={
            "Stain": st.column_config.TextColumn(
                help="Score of the stain measurement, which needs no network."
            ),
            "Model gap": st.column_config.TextColumn(help="Grades between the two verdicts."),
            "Reader gap": st.column_config.TextColumn(
                help="Grades between the models and the stain measurement together; from two on "
                "the patch comes first by doubt."
            ),
            "Unfamiliar": st.column_config.TextColumn(
                help="Unlike what a model knows; next by doubt."
            ),
            "Assessable": st.column_config.TextColumn(
                help="no: hardly any staining, and too few tumour cells for a score of 0."
            ),
            "Confidence": st.column_config.TextColumn(
                help="Of the less sure model in its own verdict."
            ),
            "Warnings": st.column_config.TextColumn(width="medium"),
            "Received (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
        alt="Patches of the worklist with verdicts and review state",
    )
    _turning(screen)
    keys = [item.patch.sha256 for item in items]
    # A row is told by its place in the table that was clicked. That table may be refreshed at any
    # moment, and a widget of its own for each list would lose its place and its sorting.
    clicked: list[str] = st.session_state.get(_DRAWN, keys)
    st.session_state[_DRAWN] = keys
    if rows := event.selection.rows:
        _open(clicked, int(rows[0]), keys)


def _open(clicked: Sequence[str], row: int, keys: Sequence[str]) -> None:
    """Open the patch that stood in this row when it was clicked."""
    if row < len(clicked) and clicked[row] in keys:
        navigation.to_review(clicked[row])
        return
    # It was given to others meanwhile: the choice is let go, or it would open what stands there now
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    st.rerun(scope="app")


def _says(item: WorklistItem) -> bool:
    """Whether the table tells what a second reader, the stain measurement among them, says."""
    return bool(item.verdicts) or item.stain is not None


def _row(item: WorklistItem, name: str, task: str, hidden: bool) -> dict[str, object]:
    verdicts = () if hidden else item.verdicts
    by_name = {verdict.architecture: verdict for verdict in verdicts}
    stain = None if hidden else item.stain
    unsure = min((verdict.confidence for verdict in verdicts), default=None)

    # verdicts and measurement are of the centred square where all have read it
    tumour = assess_tumour(verdicts, stain, min(item.patch.width, item.patch.height))

    def told(text: str) -> str:
        return "hidden" if hidden else text

    def score(architecture: str) -> str:
        if not tumour.assessable:
            return "no score"
        return _cell(by_name.get(architecture), architecture in item.earlier)

    return {
        "State": "reviewed" if item.review_id is not None else "to review",
        "Task": task,
        "Patch": cell_text(name),
        "CNN": told(score("cnn")),
        "DenseNet121": told(score("densenet121")),
        "Stain": told(_stain(stain)),
        "Model gap": told(_gap(model_gap(verdicts))),
        "Reader gap": told(_gap(reader_gap(verdicts, stain))),
        "Unfamiliar": told(_UNFAMILIAR if unfamiliar(verdicts) else ""),
        "Assessable": told("" if tumour.assessable else _NOT_ASSESSABLE),
        "Confidence": told("" if unsure is None else percent(unsure)),
        "Warnings": cell_text(" ".join(item.patch.warnings)),
        "Received (UTC)": item.patch.received_at,
    }


def _cell(verdict: Verdict | None, earlier: bool) -> str:
    if verdict is not None:
        return verdict.score.label
    return "earlier model" if earlier else "waiting"


def _stain(stain: StainReading | None) -> str:
    if stain is None:
        return "waiting"
    return "no score" if stain.score is None else stain.score.label


def _gap(grades: int | None) -> str:
    return "" if grades is None else _GAPS[grades]


def _empty_state(given_away: bool) -> None:
    st.info(
        "No patch is yours to read now; those that are here were given to others."
        if given_away
        else "No patches yet. Upload some on the Review page, or try a sample there.",
        icon=":material/inbox:",
    )
    st.page_link(ui.REVIEW_PAGE, label="Go to Review", icon=":material/biotech:")


main()
