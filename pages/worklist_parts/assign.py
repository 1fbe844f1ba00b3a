"""For administrators: give patches to readers, and see how far each one is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from her2core.accounts.records import AccountError, AuditEntry
from her2core.common.text import cell_text, markdown_text
from her2core.people.access import Desk
from her2core.people.assignments import READERS, AssignmentError
from her2core.people.double_read_table import to_csv
from her2core.people.overview import Overview
from her2core.people.worklist import Worklist
from her2core.reviews.patch_names import distinct_names

_OFFERED = 200  # patches to choose from one by one
_WAYS = {
    "double": "Two readers each",
    "single": "One reader",
    "withdraw": "Take back what is not read",
}
_STAGES = {
    "reading": "being read",
    "agreed": "both readers agree",
    "disagreed": "to be adjudicated",
    "adjudicated": "adjudicated",
}


def draw(desk: Desk) -> None:
    """Two folded parts above the worklist: giving out, and progress with the audit."""
    place = st.container()  # there with and without a message: what lies below stays as it is
    if message := st.session_state.pop("assigned", None):
        place.success(message, icon=":material/assignment_ind:")
    whole = desk.overview()
    with st.expander("Give patches to readers", icon=":material/assignment_ind:"):
        _form(desk, whole.free)
    with st.expander("Progress and audit", icon=":material/query_stats:"):
        _progress(whole)
        _table_button(desk, sum(whole.stages.values()))
        _audit(desk.audit(200))


def give_chosen(desk: Desk, chosen: Sequence[str], filtered: Worklist, patches: int) -> None:
    """Give the patches chosen to readers, or all that pass the filter.

    Args:
        desk: of an administrator.
        chosen: sha256 of each.
        filtered: the patches that pass the filter.
        patches: how many these are.
    """
    asked = _ask(desk, "chosen", ("double", "single"))
    more = patches > len(chosen) and st.checkbox(f"All {patches:,} of this list", key="give-list")
    if _button("Give out", asked, "chosen"):
        _do(lambda: _give(desk, asked, filtered.keys() if more else list(chosen)))


@dataclass(frozen=True)
class _Asked:
    """How patches are to be given out, and to whom."""

    way: str
    readers: list[str]
    blind: bool

    @property
    def complete(self) -> bool:
        return len(self.readers) == (READERS if self.way == "double" else 1)


def _ask(desk: Desk, place: str, ways: Sequence[str]) -> _Asked:
    way = st.segmented_control(
        "How",
        list(ways),
        default="double",
        required=True,
        format_func=_WAYS.__getitem__,
        key=f"assign-way-{place}",
        help="Two readers do not see each other's answer until both are in; where their scores "
        "differ, an adjudicator decides.",
    )
    readers = st.multiselect(
        "Readers",
        [account.name for account in desk.people()],
        key=f"assign-readers-{place}",
        max_selections=READERS if way == "double" else 1,
        placeholder="Choose two readers" if way == "double" else "Choose a reader",
    )
    blind = way == "double" and st.checkbox(
        "Blind: the models' verdicts stay hidden, too, until both answers are in",
        value=True,
        key=f"assign-blind-{place}",
    )
    return _Asked(way, readers, blind)


def _form(desk: Desk, free: int) -> None:
    asked = _ask(desk, "all", tuple(_WAYS))
    if asked.way == "withdraw":
        every = st.checkbox("All that is not read yet", value=True, key="assign-all")
        chosen = None if every else _choose(desk, asked.readers)
        if _button("Take back", asked, "all", nothing=chosen == []):
            _do(lambda: _take_back(desk, asked.readers[0], chosen))
        return
    st.caption(
        f"All patches given to nobody ({free:,}). To give some of them, choose them in the gallery."
    )
    if _button("Give out", asked, "all", nothing=not free):
        _do(lambda: _give(desk, asked, list(desk.to_give_out())))


def _button(label: str, asked: _Asked, place: str, *, nothing: bool = False) -> bool:
    return st.button(
        label,
        type="primary",
        icon=":material/send:",
        key=f"assign-go-{place}",
        disabled=nothing or not asked.complete,
    )


def _do(act: Callable[[], str]) -> None:
    """Act, and say on the page drawn anew what was done; or why it was not."""
    try:
        st.session_state["assigned"] = act()
    except (AssignmentError, AccountError) as error:
        st.warning(markdown_text(str(error)), icon=":material/assignment_late:")
        return
    st.rerun(scope="app")


def _choose(desk: Desk, of_whom: Sequence[str]) -> list[str]:
    """Patches that this reader has not read, chosen one by one."""
    names = distinct_names(desk.to_take_back(of_whom[0], _OFFERED) if of_whom else {})
    if len(names) == _OFFERED:
        st.caption(f"The first {_OFFERED} are offered.")
    return st.multiselect(
        "Patches",
        list(names),
        format_func=lambda sha256: names.get(sha256, sha256[:12]),
        key="assign-patches",
        placeholder="Choose patches",
    )


def _give(desk: Desk, asked: _Asked, patches: list[str]) -> str:
    if asked.way == "double":
        number = desk.assign_double(patches, asked.readers, blind=asked.blind)
    else:
        number = desk.assign(patches, asked.readers[0])
    return f"{_patches(number)} given to {' and '.join(map(markdown_text, asked.readers))}."


def _take_back(desk: Desk, reader: str, some: list[str] | None) -> str:
    number = desk.withdraw(list(desk.to_take_back(reader)) if some is None else some, reader)
    return f"{_patches(number)} taken back from {markdown_text(reader)}."


def _progress(whole: Overview) -> None:
    if not whole.progress:
        st.caption("No patch was given to anybody yet.")
        return
    for line in whole.progress:
        done = f"{line.done} of {line.assigned}"
        st.progress(line.done / line.assigned, f"{markdown_text(line.name)}: {done} read")
    stages = [f"{whole.stages[key]} {text}" for key, text in _STAGES.items() if key in whole.stages]
    if stages:
        st.markdown(f"Double reads: {', '.join(stages)}.")


def _table_button(desk: Desk, double_reads: int) -> None:
    if not double_reads:
        return

    def table() -> bytes:
        plan = desk.plan()
        desk.note_export("CSV of double reads", len(plan.double_reads))
        return to_csv(plan)

    st.download_button(
        "Double reads as CSV",
        data=table,
        file_name="her2-double-reads.csv",
        mime="text/csv",
        icon=":material/table_view:",
        on_click="ignore",
        help="Both answers, how it ended and the final score; of those still being read no answer.",
    )


def _audit(entries: Sequence[AuditEntry]) -> None:
    st.dataframe(
        [
            {
                "When (UTC)": entry.happened_at,
                "Who": cell_text(entry.actor),
                "What": entry.action,
                "Detail": cell_text(entry.detail),
            }
            for entry in entries
        ],
        hide_index=True,
        height=240,
        alt="Audit: who did what and when, newest first",
        column_config={"When (UTC)": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss")},
    )


def _patches(number: int) -> str:
    return "1 patch" if number == 1 else f"{number} patches"
