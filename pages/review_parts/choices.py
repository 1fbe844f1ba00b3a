"""A row of buttons of which one is chosen, by a click or by its key."""

from collections.abc import Callable, Sequence

import streamlit as st

# text, key, whether it is chosen, and what a click calls
Option = tuple[str, str | None, bool, Callable[[], None]]


def choose(label: str, options: Sequence[Option], kept: Callable[[], None]) -> None:
    """A labelled row of buttons of which one is chosen; each shows its key."""
    name, row = st.columns([1, 3.4], gap="small", vertical_alignment="center")
    # soft hyphens: on a narrow screen a long word breaks where a reader expects it
    soft = label.replace("DenseNet", "Dense\u00adNet").replace("Confid", "Confi\u00add")
    name.markdown(f"**{soft}**")
    with row.container(horizontal=True, gap="xsmall"):
        for text, shortcut, chosen, action in options:
            st.button(
                text,
                key=f"{label}-{text}",
                type="primary" if chosen else "secondary",
                icon=":material/check:" if chosen else None,
                shortcut=shortcut,
                width="stretch",
                on_click=answered,
                args=(kept, action),
            )


def answered(kept: Callable[[], None], change: Callable[[], None]) -> None:
    """Note what was answered, and let it outlive this session at once."""
    change()
    kept()
