"""Which patch is in front of the reviewer, and how to come to another one.

The address names it (?patch=sha256), so that a reload, a link from the log and the browser's back
button lead where they should; leaving for another page and coming back does too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from her2core.common.text import markdown_text
from her2core.people.worklist import Front, Worklist
from her2core.reviews.worklist_filter import WorklistFilter
from her2core.serving.services import Services
from pages.shell import ui

_DONE = "done"
_CHOSEN = "chosen_to_review"  # sha256 of the patches that previous and next go through; or nothing
# the page may be drawn again at once, and what was said must not be gone before it is read
_SAID_SECONDS = 8.0


def worklist(here: Services) -> Worklist:
    """What previous and next go through: all patches, or those chosen on the Worklist page.

    Whoever asks for another patch has left the choice; so has who may read none of them any more.
    """
    chosen: tuple[str, ...] = st.session_state.get(_CHOSEN, ())
    if not chosen:
        return ui.worklist(here)
    asked = st.query_params.get("patch", chosen[0])
    theirs = ui.worklist(here, WorklistFilter(among=chosen))
    if asked in chosen and theirs.counts().patches:
        return theirs
    _leave_choice()
    return ui.worklist(here)


def _leave_choice() -> None:
    st.session_state.pop(_CHOSEN, None)


def current(worklist: Worklist) -> Front | None:
    """The patch shown now, at first the first unreviewed one; None where there is none at all."""
    asked = st.query_params.get("patch")
    front = worklist.front(asked, st.session_state.get("last_patch"))
    if front is None:
        return None
    if asked and not front.known:
        st.info("The patch of this link is not in this workspace.", icon=":material/link_off:")
    go_to(front.item.patch.sha256)
    return front


def go_to(sha256: str | None) -> None:
    """Bring a patch to the front with the next run; None changes nothing."""
    if sha256 is None:
        return
    st.session_state["last_patch"] = sha256
    if st.query_params.get("patch") != sha256:
        st.query_params["patch"] = sha256


def follow(sha256: str) -> None:
    """For a fragment drawn for a patch: draw the whole page where another one came to the front.

    The browser may hand in a click on Next with a text just typed, as one run of the fragment that
    holds the text: the click is then acted on, but only the fragment is drawn. A key would answer
    the patch that is gone. What was chosen here decides, not the address: in such a run the browser
    may not know the new one yet.
    """
    front = st.session_state.get("last_patch")
    if front is not None and front != sha256:
        go_to(front)
        st.rerun(scope="app")


def say(done: str) -> None:
    """Let the header say what was just done (Markdown), e.g. that a review was saved."""
    number = st.session_state.get(_DONE, ("", None, 0))[2] + 1
    st.session_state[_DONE] = (done, None, number)


def _draw_done() -> bool:
    """What was just done; its time runs from the first page that says it, however late that is.

    Then the browser hides it by itself (chrome.py); what is said next begins anew there.
    """
    done, since, number = st.session_state.get(_DONE, ("", None, 0))
    now = time.monotonic()
    if since is None:
        since = now
        st.session_state[_DONE] = (done, now, number)
    if not done or now - since >= _SAID_SECONDS:
        return False
    with st.container(key=f"done-{number % 2}", width="content"):
        st.markdown(f":green[:material/check_circle: {done}]", width="content")
    return True


def header(front: Front) -> None:
    """Name, place in the worklist, previous and next; and what was just done."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        to = front.previous, front.following
        there = to[0] is not None, to[1] is not None
        ui.turn_buttons(("Previous", "Next"), there, go_to, to, ("Left", "Right"))
        todo = f"{front.left} to review" if front.left else "all reviewed"
        chosen = " chosen" if st.session_state.get(_CHOSEN) else ""
        place = ui.place_text(front.place + 1)
        st.markdown(f"**{place} of {front.patches}**{chosen} · {todo}", width="content")
        if front.item.patch.origin is not None:
            st.page_link(ui.SLIDES_PAGE, label="Slide", icon=":material/arrow_back:")
        if chosen:
            st.button("All patches", icon=":material/close:", on_click=_leave_choice)
        done = _draw_done()
        size = f"{front.item.patch.width} × {front.item.patch.height} px"
        # the size makes room meanwhile, so that on a narrow screen nothing below moves
        shown = "" if done else f" :gray[{size}]"
        st.markdown(f"{markdown_text(front.name)}{shown}", width="stretch")


def to_review(sha256: str) -> None:
    """Open a patch on the Review page, from any page; previous and next go through all patches."""
    _leave_choice()
    _open(sha256)


def to_review_these(chosen: Sequence[str]) -> None:
    """Open the first of these patches; previous and next go through them alone."""
    st.session_state[_CHOSEN] = tuple(chosen)
    _open(chosen[0])


def _open(sha256: str) -> None:
    st.session_state["last_patch"] = sha256
    st.switch_page(ui.REVIEW_PAGE, query_params={"patch": sha256})
