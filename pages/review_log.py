"""Review log: every recorded review, narrowed, opened and exported. Entries are never changed."""

from __future__ import annotations

import streamlit as st

from her2core.common.text import markdown_text
from her2core.reviews.records import Review, ReviewFilter
from her2core.reviews.store import ReviewStore
from her2core.serving.services import Services
from pages.log_parts import detail, exports, filters, table
from pages.shell import seen, session, ui

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
    shown, withheld, sealed = _withhold(here, *session.desk(here.store).reviews(wanted))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{_entries(len(shown))}** shown", width="content")
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
    opened = table.draw(shown, height=320 if len(shown) > 8 else "auto")
    exports.draw(here, shown, wanted)
    if opened is None:
        st.caption("Choose a row at its left edge to open its image, verdicts and corrections.")
        return
    st.divider()
    detail.draw(here, opened, table.shown_names(shown)[opened.patch.sha256])


def _withhold(here: Services, reviews: list[Review], sealed: int) -> tuple[list[Review], int, int]:
    """Keep entries from a blind reviewer whose patch is still to be reviewed; note the others.

    Returns:
        What may be shown, how many entries are withheld, and how many are sealed. Both numbers are
        the same for every filter, or else filters would tell what these entries hold: they count
        the current ones.
    """
    shown, withheld = reviews, 0
    if ui.blind_mode():
        current = session.desk(here.store).reviews()[0]
        known = seen.known(here, current, reviews)
        shown = [review for review in reviews if review.patch.sha256 in known]
        withheld = sum(review.patch.sha256 not in known for review in current)
    # What stands in this table can no longer be reviewed blind.
    seen.mark(here, {review.patch.sha256 for review in shown})
    return shown, withheld, sealed


def _chain_state(store: ReviewStore) -> None:
    """Whether the log is as it was written, looked at again with each new entry or minute."""
    head = store.head()
    number = 0 if head is None else head.last_id
    broken = _broken(store, "" if head is None else head.last_hash)
    if not broken:
        st.markdown(
            f":green-badge[:material/verified: Log intact: {_entries(number)}]",
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


@st.cache_data(ttl=60, max_entries=8, show_spinner="Checking the log…")
def _broken(_store: ReviewStore, latest_hash: str) -> list[str]:
    return _store.verify_chain()


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


main()
