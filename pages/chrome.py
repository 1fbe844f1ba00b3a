"""The few rules of looks and focus for which Streamlit has no setting; nothing from outside."""

from __future__ import annotations

import streamlit as st

_STYLE = """<style>
/* Margins that leave one screen to the image, both verdicts and the answer. */
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
/* The page itself is no control: a frame around all of it after a key press says nothing. */
[data-testid="stMain"]:focus-visible::before,
[data-testid="stMain"]:focus-visible::after { display: none; }
/* The listener below has nothing to show. */
.st-key-let-go { position: absolute; }
/* A toast must not lie over the verdicts. */
[data-testid="stToastContainer"] { top: auto !important; bottom: 1rem !important; }
[data-testid="stNavSectionHeader"] { font-size: 1.25rem; font-weight: 700; color: inherit; }
/* The chosen segment is told by its frame and weight; its text keeps the contrast of all text. */
[data-variant="segmented_control"][data-selected="true"],
[data-variant="segmented_control"][data-selected="true"] p {
  color: inherit !important; font-weight: 600;
}
/* On a narrow screen the classes go into a second line instead of out of sight. */
.st-key-target [role="radiogroup"] { flex-wrap: wrap; }
[class*="st-key-verdict-"] h1 { font-size: 2.5rem; padding: 0; line-height: 1.1; }
</style>"""

# A switch, a slider or the name field keeps the keyboard after a click, and would swallow the
# answer keys (or write them into the name). They let go of it; whoever uses Tab keeps the focus.
_LET_GO = """
export default function () {
  const isSwitch = (field) =>
    field instanceof HTMLInputElement && ["checkbox", "radio", "range"].includes(field.type);
  const isChoice = (field) => field?.getAttribute?.("role") === "combobox";
  const afterPointer = (event) => setTimeout(() => {
    const field = document.activeElement;
    if (isSwitch(field) || (isChoice(field) && !field.parentElement.contains(event.target))) {
      field.blur();
    }
  }, 0);
  // More than once: on a busy page the field may take the keyboard back when it is drawn anew.
  let pending = [];
  const afterKey = (event) => {
    pending.forEach(clearTimeout);
    pending = [];
    const field = event.target;
    if (event.key === "Enter" && isChoice(field)) {
      pending = [0, 150, 400, 1000].map((wait) => setTimeout(() => field.blur(), wait));
    }
  };
  document.addEventListener("pointerup", afterPointer);
  document.addEventListener("keydown", afterKey);
  return () => {
    document.removeEventListener("pointerup", afterPointer);
    document.removeEventListener("keydown", afterKey);
  };
}
"""
_let_go = st.components.v2.component("her2_let_go", js=_LET_GO)


def draw() -> None:
    """Put the rules on the page; to be called once a run, before anything else is drawn."""
    st.html(_STYLE)
    _let_go(key="let-go", height=0)
