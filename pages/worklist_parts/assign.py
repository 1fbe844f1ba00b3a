"""For administrators: give patches to readers, and see how far each one is."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from her2core.accounts.records import AccountError, AuditEntry
from her2core.common.text import cell_text, markdown_text
from her2core.people.access import Desk
from her2core.people.assignments import READERS, AssignmentError
from her2core.people.double_read_table import to_csv
from her2core.people.overview import Overview
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
    said = st.container()  # there with and without a message: what lies below stays as it is
    if message := st.session_state.pop("assigned", None):
        said.success(message, icon=":material/assignment_ind:")
    whole = desk.overview()
    with st.expander("Give patches to readers", icon=":material/assignment_ind:"):
        _form(desk, whole.free)
    with st.expander("Progress and audit", icon=":material/query_stats:"):
        _progress(whole)
        _table_button(desk, sum(whole.stages.values()))
        _audit(desk.audit(200))


def _form(desk: Desk, free: int) -> None:
    people = [account.name for account in desk.people()]
    way = st.segmented_control(
        "How",
        list(_WAYS),
        default="double",
        required=True,
        format_func=_WAYS.__getitem__,
        key="assign-way",
        help="Two readers do not see each other's answer until both are in; where their scores "
        "differ, an adjudicator decides.",
    )
    readers = st.multiselect(
        "Readers",
        people,
        key="assign-readers",
        max_selections=READERS if way == "double" else 1,
        placeholder="Choose two readers" if way == "double" else "Choose a reader",
    )
    blind = way == "double" and st.checkbox(
        "Blind: the models' verdicts stay hidden, too, until both answers are in",
        value=True,
        key="assign-blind",
    )
    every = "All that is not read yet" if way == "withdraw" else "All patches given to nobody"
    number = "" if way == "withdraw" else f" ({free})"
    chosen: list[str] | None = None
    if not st.checkbox(f"{every}{number}", value=True, key="assign-all"):
        chosen = _choose(desk, readers[:1] if way == "withdraw" else None)
    if not st.button(
        "Take back" if way == "withdraw" else "Give out",
        type="primary",
        icon=":material/send:",
        disabled=chosen == []
        or (way != "withdraw" and not free)
        or len(readers) != (READERS if way == "double" else 1),
    ):
        return
    try:
        st.session_state["assigned"] = _give(desk, way, chosen, readers, blind)
    except (AssignmentError, AccountError) as error:
        st.warning(markdown_text(str(error)), icon=":material/assignment_late:")
        return
    st.rerun()


def _choose(desk: Desk, of_whom: list[str] | None) -> list[str]:
    """Patches given to nobody, or to these readers, chosen one by one."""
    offered = desk.to_give_out(_OFFERED) if of_whom is None else {}
    for name in of_whom or ():
        offered = desk.to_take_back(name, _OFFERED)
    names = distinct_names(offered)
    if len(names) == _OFFERED:
        st.caption(f"The first {_OFFERED} are offered.")
    return st.multiselect(
        "Patches",
        list(names),
        format_func=lambda sha256: names.get(sha256, sha256[:12]),
        key="assign-patches",
        placeholder="Choose patches",
    )


def _give(desk: Desk, way: str, some: list[str] | None, readers: list[str], blind: bool) -> str:
    if some is None:
        offered = desk.to_take_back(readers[0]) if way == "withdraw" else desk.to_give_out()
    patches = list(offered) if some is None else some
    if way == "double":
        number = desk.assign_double(patches, readers, blind=blind)
        who = " and ".join(map(markdown_text, readers))
        return f"{_patches(number)} given to {who}."
    if way == "single":
        number = desk.assign(patches, readers[0])
        return f"{_patches(number)} given to {markdown_text(readers[0])}."
    number = desk.withdraw(patches, readers[0])
    return f"{_patches(number)} taken back from {markdown_text(readers[0])}."


def _progress(whole: Overview) -> None:
    if not whole.progress:
        st.caption("No patch was given to anybody yet.")
        return
    for line in whole.progress:
        done = f"{line.done} of {line.assigned}"
        st.progress(line.done / line.assigned, f"{markdown_text(line.name)}: {done} read")
    told = [f"{whole.stages[key]} {text}" for key, text in _STAGES.items() if key in whole.stages]
    if told:
        st.markdown(f"Double reads: {', '.join(told)}.")


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
