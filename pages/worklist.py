"""Worklist: every patch with its state, its readers' scores and what is doubtful; a click opens it.

As a table or as pictures, of which several can be chosen to be given out or reviewed in a row.
"""

from __future__ import annotations

import streamlit as st

from her2core.accounts.records import Permission
from her2core.common.text import markdown_text
from her2core.people.worklist import MOST_COUNTED, SCREENFUL, Screen
from her2core.reviews.worklist_filter import WorklistFilter, to_address
from her2core.reviews.worklist_queries import Counts
from her2core.serving.services import Services
from pages.review_parts import navigation
from pages.shell import exposure, session, ui
from pages.worklist_parts import assign, filters, gallery, table
from pages.worklist_parts.rows import Row, row_of, says, task

_ORDER_HELP = (
    "Doubt: first the patches on which two readers (CNN, DenseNet121, stain measurement) are two "
    "grades or more apart, then those unlike what a model knows, then by the gap between the "
    "models, then those the models are least sure of. In blind mode the patches you have not "
    "reviewed come first, by arrival. Previous and next on the Review page follow this order."
)
_VIEWS = {"table": ":material/table_rows: Table", "gallery": ":material/grid_view: Gallery"}
_START = "from"  # in the address: the patch with which the screenful begins


def main() -> None:
    """Draw the page."""
    here = ui.services_or_stop()
    desk = session.desk(here.store)
    st.title("Worklist", anchor=False)
    if desk.may(Permission.ASSIGN):
        assign.draw(desk)
    whole = ui.worklist(here)
    counts = whole.counts()
    if not counts.patches:
        _empty_state(given_away=desk.any_given())
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.segmented_control(
            "Order",
            list(ui.ORDERS),
            required=True,
            format_func=ui.ORDERS.__getitem__,
            key="order",
            persist_state="session",
            help=_ORDER_HELP,
            on_change=_turn_to,
            args=(None,),
        )
        ui.remembered("view", _VIEWS, "table")
        st.segmented_control(
            "Show as",
            list(_VIEWS),
            required=True,
            format_func=_VIEWS.__getitem__,
            key="view",
            persist_state="session",
        )
        st.markdown(_counts(counts), width="content")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        following = whole.next_to_review() if counts.left else None
        if st.button(
            "Review the next one" if following else "All patches are reviewed",
            type="primary",
            icon=":material/play_arrow:" if following else ":material/done_all:",
            disabled=following is None,
        ):
            navigation.to_review(str(following))
        wanted = filters.ask(whole, lambda: _turn_to(None))
    filters.say_what_was_wrong()
    busy = here.queue.state().waiting > 0
    # While patches are being read the list fills by itself; a click elsewhere is not disturbed.
    every = 3.0 if counts.waiting or busy else None
    st.fragment(ui.calm(_screenful), run_every=every)(here, wanted)


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
    ui.keep_in_address(_START, start or "")


def _turning(screen: Screen) -> None:
    """Where this screenful stands among all, and the ways to the ones beside it."""
    if screen.previous is None and screen.following is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        # the screenful before may be a short one: then it is the first
        before = screen.previous if screen.first > SCREENFUL else None
        there = screen.previous is not None, screen.following is not None
        ui.turn_buttons(("Previous", "Next"), there, _turn_to, (before, screen.following))
        first, last = screen.first + 1, screen.first + len(screen.items)
        stretch = f"{first:,} to {last:,}" if first <= MOST_COUNTED else ui.place_text(first)
        st.markdown(f"{stretch} of {screen.patches:,}", width="content")


def _screenful(here: Services, wanted: WorklistFilter) -> None:
    start = st.query_params.get(_START)
    screen = ui.worklist(here, wanted).screen(start)
    if not screen.items:
        if ui.worklist(here).counts().patches:
            st.info(
                "No patch fits these filters."
                + (
                    " In blind mode what readers say finds only patches that you have reviewed."
                    if ui.blind_mode()
                    else ""
                ),
                icon=":material/filter_alt_off:",
            )
            return
        st.rerun(scope="app")  # given to others since the page was drawn
    rows = _rows(here, screen)
    narrowed = [f"{name}={value}" for name, value in to_address(wanted).items() if value]
    key = "-".join([ui.order(), start or "", *narrowed])
    if st.session_state.get("view") != "gallery":
        table.draw(rows, key)
    else:
        bar = st.container(horizontal=True, vertical_alignment="center", gap="small")
        chosen = gallery.draw(rows, key)
        with bar:
            _with_chosen(here, chosen, wanted, screen.patches)
    _turning(screen)


def _rows(here: Services, screen: Screen) -> list[Row]:
    """The screenful in words, without what is hidden; what is not, is recorded as shown first."""
    desk, plan = session.desk(here.store), screen.plan
    keys = [item.patch.sha256 for item in screen.items]
    sealed = {key for key in keys if not desk.sight(key, plan).verdicts}
    hidden = sealed
    if ui.blind_mode():
        unread = {item.patch.sha256 for item in screen.items if item.review_id is None}
        hidden = sealed | (unread - exposure.among(here, unread))
    telling = (item.patch.sha256 for item in screen.items if says(item))
    exposure.mark(here, (key for key in telling if key not in hidden))
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
    return [
        row_of(item, screen.names[key], task(desk, plan, key), key in hidden)
        for key, item in zip(keys, screen.items, strict=True)
    ]


def _with_chosen(here: Services, chosen: list[str], wanted: WorklistFilter, patches: int) -> None:
    """What can be done with the patches chosen."""
    if not chosen:
        st.caption(
            "Click a picture to open it; choose several by the square in their corner, by Ctrl and "
            "a click, or by space."
        )
        return
    st.markdown(f"**{len(chosen)}** chosen", width="content")
    if st.button("Review these", icon=":material/play_arrow:", key="review-chosen"):
        navigation.to_review_these(chosen)
    desk = session.desk(here.store)
    if desk.may(Permission.ASSIGN):
        with st.popover("Give these to readers", icon=":material/assignment_ind:"):
            assign.give_chosen(desk, chosen, ui.worklist(here, wanted), patches)


def _empty_state(given_away: bool) -> None:
    st.info(
        "No patch is yours to read now; those that are here were given to others."
        if given_away
        else "No patches yet. Upload some on the Review page, or try a sample there.",
        icon=":material/inbox:",
    )
    st.page_link(ui.REVIEW_PAGE, label="Go to Review", icon=":material/biotech:")


main()
