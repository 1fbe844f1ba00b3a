"""Review log: every recorded review, narrowed, opened and exported. Entries are never changed."""

from __future__ import annotations

from functools import partial

import streamlit as st

from her2core.common.text import markdown_text
from her2core.people.review_log import SCREENFUL, LogScreen, ReviewLog
from her2core.reviews.records import Review, ReviewFilter
from her2core.reviews.store import ReviewStore
from pages.log_parts import detail, exports, filters, table
from pages.shell import exposure, ui

_START, _FILTER = "log_start", "log_filter"
_LOOK_SECONDS = 0.2  # for the check of the log, each time the page is drawn
_NAMED = 5  # broken entries named in full; their number is always given


def main() -> None:
    """Draw the page."""
    here = ui.services_or_stop()
    st.title("Review log", anchor=False)
    head = here.store.head()
    if head is not None and head.last_id == 0:
        st.info(
            "No review is recorded yet. Open a patch, give your own score and save it; it appears "
            "here at once.",
            icon=":material/rate_review:",
        )
        st.page_link(ui.REVIEW_PAGE, label="Review a patch", icon=":material/arrow_forward:")
        return

    wanted = filters.ask(here.store.reviewers())
    log = exposure.log(here)
    screen = log.screen(wanted, _start(wanted))
    shown, withheld, sealed = list(screen.reviews), screen.withheld, screen.sealed
    # What stands in this table can no longer be reviewed blind.
    exposure.mark(here, {review.patch.sha256 for review in shown})
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{_entries(screen.entries)}** shown", width="content")
        _chain_state(here.store)
    if sealed:
        st.caption(
            f":material/visibility_off: {_entries(sealed)} of double reads stay hidden until both "
            "answers are in."
        )
    if withheld:
        st.caption(
            f":material/visibility_off: Blind mode: {_entries(withheld)} of patches you have not "
            "reviewed stay hidden, because they show verdicts and other scores."
        )
    if not shown and (withheld or sealed) and wanted == ReviewFilter():
        return
    if not shown:
        st.info("No entry fits these filters.", icon=":material/filter_alt_off:")
        st.button("Clear filters", key="log_clear", on_click=filters.clear)
        return
    _turning(screen)
    opened = table.draw(shown, height=320 if len(shown) > 8 else "auto")
    opened = opened or _asked_for(log)
    exports.draw(here, log, screen.entries, wanted)
    if opened is None:
        st.caption("Choose a row at its left edge to open its image, verdicts and corrections.")
        return
    st.divider()
    detail.draw(here, opened, table.shown_names([*shown, opened])[opened.patch.sha256])


def _start(wanted: ReviewFilter) -> int | None:
    """Number of the first entry in sight, None for the newest; another filter begins anew."""
    if st.session_state.get(_FILTER) != wanted:
        st.session_state[_FILTER] = wanted
        st.session_state[_START] = None
    start: int | None = st.session_state[_START]
    return start


def _turning(screen: LogScreen) -> None:
    """Which entries are in sight, and the ways to newer and older ones."""
    if screen.newer is None and screen.older is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        # the screenful before may be a short one: then it is the first
        newer = screen.newer if screen.first > SCREENFUL else None
        there = screen.newer is not None, screen.older is not None
        turn = partial(st.session_state.__setitem__, _START)
        ui.turn_buttons(("Newer", "Older"), there, turn, (newer, screen.older))
        last = screen.first + len(screen.reviews)
        st.markdown(f"{screen.first + 1:,} to {last:,} of {screen.entries:,}", width="content")


def _asked_for(log: ReviewLog) -> Review | None:
    """The entry that the address names (?review=number), wherever in the log it is."""
    asked = st.query_params.get("review", "")
    return log.find(int(asked)) if asked.isdecimal() and len(asked) < 10 else None


def _chain_state(store: ReviewStore) -> None:
    """Whether the log is as it was written; a long one is checked bit by bit."""
    checked = store.watch.look(_LOOK_SECONDS)
    broken = checked.sentences
    if not broken:
        whole = f"Log intact: {_entries(checked.of)}"
        part = f"Checking the log: {checked.entries:,} of {_entries(checked.of)}"
        st.markdown(
            f":green-badge[:material/verified: {whole}]"
            if checked.finished
            else f":gray-badge[:material/hourglass_top: {part}]",
            width="content",
            help="Each entry carries the hash of the one before it; all of them fit.",
        )
        return
    more = f" And {len(broken) - _NAMED} more." if len(broken) > _NAMED else ""
    st.error(
        "The log was changed outside this program. "
        f"{markdown_text(' '.join(broken[:_NAMED]))}{more}",
        icon=":material/gpp_bad:",
    )


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


main()
