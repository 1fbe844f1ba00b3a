"""A double read on the Review page: what is hidden and why, what a third is to decide, the end."""

from __future__ import annotations

import streamlit as st

from her2core.common.text import markdown_text
from her2core.people.access import Desk
from her2core.people.sight import Sight
from pages.shell import ui


def draw(desk: Desk, sha256: str, sight: Sight) -> None:
    """One line about the double read of this patch; nothing where it has none."""
    if sight.sentence:
        st.info(sight.sentence, icon=":material/group:")
        return
    read = sight.adjudicates
    if read is not None:
        given = " and ".join(sorted(score.score.label for score in read.answers.values()))
        if read.decision is None:
            # without names: who said what must not weigh
            st.info(
                f"Two readers differ: **{given}**. Your score decides.",
                icon=":material/balance:",
            )
        else:
            st.caption(f":material/balance: Two readers differed ({given}); you decided.")
        return
    finished = desk.plan([sha256]).double_reads.get(sha256)
    if finished is None or finished.sealed or desk.identity.name not in finished.readers:
        return
    other = next(name for name in finished.readers if name != desk.identity.name)
    answer = f"{markdown_text(other)} answered {finished.answers[other].score.label}"
    if finished.stage == "agreed":
        st.caption(f":material/group: {answer}, as you did.")
    elif finished.decision is None:
        st.caption(f":material/group: {answer}. A third is going to decide.")
    else:
        decided = ui.score_text(finished.decision.score)
        st.caption(f":material/balance: {answer}. Adjudicated: {decided}.")
