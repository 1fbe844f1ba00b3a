"""The few rules of looks and focus for which Streamlit has no setting; nothing from outside."""

from __future__ import annotations

from urllib.parse import unquote

import streamlit as st

from her2core.common.palette import GROUND
from her2core.common.text import printable

_STYLE = """<style>
/* Margins that leave one screen to the image, both verdicts and the answer. */
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
/* The page itself is no control: a frame around all of it after a key press says nothing. */
[data-testid="stMain"]:focus-visible::before,
[data-testid="stMain"]:focus-visible::after { display: none; }
/* The listener below has nothing to show. */
.st-key-let-go, .st-key-remember, .st-key-ask-name { position: absolute; }
[data-testid="stNavSectionHeader"] { font-size: 1.25rem; font-weight: 700; color: inherit; }
/* The chosen segment is told by its frame and weight; its text keeps the contrast of all text. */
[data-variant="segmented_control"][data-selected="true"],
[data-variant="segmented_control"][data-selected="true"] p {
  color: inherit !important; font-weight: 600;
}
/* On a narrow screen some choices go into a second line instead of out of sight. */
:is(.st-key-target, .st-key-slide_map) [role="radiogroup"] { flex-wrap: wrap; }
/* Four scores in one row, the chosen one with its sign, on a narrow screen too. */
.st-key-answer [data-testid="stButton"] button { padding-left: 0.4rem; padding-right: 0.4rem; }
/* The answer never leaves the screen: what is read before it scrolls away below it. On a screen too
low for both, Save alone stays. */
[data-testid="stLayoutWrapper"]:has(> .st-key-save) { padding-top: 0.25rem; }
@media (min-height: 700px) {
  [data-testid="stLayoutWrapper"]:has(> div > [data-testid="stLayoutWrapper"] > .st-key-answer) {
    position: sticky; bottom: 0; z-index: 2; padding: 0.25rem 0; background: GROUND;
    box-shadow: 0 -1px 0 rgb(128 128 128 / 30%);
  }
}
@media (max-height: 699px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-save) {
    position: sticky; bottom: 0; z-index: 2; background: GROUND;
  }
}
/* What was just done is said for some seconds. */
@keyframes her2-gone-0 { to { visibility: hidden; } }
@keyframes her2-gone-1 { to { visibility: hidden; } }
.st-key-done-0 * { animation: her2-gone-0 0s 8s forwards; }
.st-key-done-1 * { animation: her2-gone-1 0s 8s forwards; }
/* A warning is read whole, in two lines where one is too short. */
span.stMarkdownBadge { white-space: normal !important; }
/* Words of a chart without a ground of its own follow the page when it turns dark. */
:is(.st-key-probabilities, .st-key-log_probabilities) svg text {
  fill: currentColor !important;
}
[class*="st-key-verdict-"] { padding: 0.5rem; }
[class*="st-key-verdict-"] h1 { font-size: 2.5rem; padding: 0; line-height: 1.1; }
</style>"""

# A switch, a slider, a segment or a choice such as the name field keeps the keyboard after a click
# or Enter, and would swallow the answer keys (or write them into the name). They let go of it;
# whoever goes by Tab keeps the focus. Enter then is for the control that has it, not for "Save",
# which hears every Enter of the page and would take it from the control. A busy page may hand a
# choice the keyboard back, or be finished with it before this listener is there: so a key that
# reaches a closed choice is given to the page instead. And whoever reloads the page is asked first
# where a reload would lose an answer: one that the database does not hold, or a text not sent yet.
_LET_GO = """
export default function () {
  const isSwitch = (field) =>
    (field instanceof HTMLInputElement && ["checkbox", "radio", "range"].includes(field.type)) ||
    (field instanceof HTMLButtonElement && field.closest('[data-testid="stButtonGroup"]') !== null);
  const isChoice = (field) => field?.getAttribute?.("role") === "combobox";
  const isClosed = (field) => field.getAttribute("aria-expanded") !== "true";
  const isHeld = (event) => event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
  const control = 'button, a[href], summary, [role="button"]';
  let byTab = false;
  // The control has heard the key by then, and the browser clicks it: nothing is prevented here.
  const beforeShortcuts = (event) => {
    if (byTab && event.key === "Enter" && !isHeld(event) && event.target.closest?.(control)) {
      event.stopPropagation();
    }
  };
  document.documentElement.addEventListener("keydown", beforeShortcuts);
  const afterPointer = (event) => {
    byTab = false;
    setTimeout(() => {
      const field = document.activeElement;
      if (isSwitch(field) || (isChoice(field) && !field.parentElement.contains(event.target))) {
        field.blur();
      }
    }, 0);
  };
  const beforeKey = (event) => {
    const field = event.target;
    if (event.key === "Tab") {
      byTab = true;
    } else if (isChoice(field) && isClosed(field) && !byTab && !isHeld(event)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      field.blur();
      document.body.dispatchEvent(new KeyboardEvent("keydown", event));
    } else if (isChoice(field) && event.key === "Enter") {
      byTab = false;
      setTimeout(() => field.blur(), 0);
    }
  };
  const beforeLeaving = (event) => {
    // With each whole page the server says whether an answer would be lost (drafts.mark_begun), and
    // with the form, which is drawn by itself in between, once more (drafts.mark_form).
    const told = (place, name) => getComputedStyle(place).getPropertyValue(name).trim();
    const answer = document.querySelector(".st-key-answer");
    const here = answer ? told(answer, "--her2-answer-here") : "";
    const begun = here || told(document.documentElement, "--her2-answer-begun");
    // as the server counts: by code points
    const typed = here ? [...(answer.querySelector("textarea")?.value ?? "")].length : 0;
    if (begun === "1" || (here && typed !== Number(told(answer, "--her2-comment")))) {
      event.preventDefault();
    }
  };
  document.addEventListener("pointerup", afterPointer);
  document.addEventListener("keydown", beforeKey, true);
  window.addEventListener("beforeunload", beforeLeaving);
  return () => {
    window.removeEventListener("beforeunload", beforeLeaving);
    document.removeEventListener("pointerup", afterPointer);
    document.removeEventListener("keydown", beforeKey, true);
    document.documentElement.removeEventListener("keydown", beforeShortcuts);
  };
}
"""
_let_go = st.components.v2.component("her2_let_go", js=_LET_GO)


# A cookie of this browser until it is closed; the server reads it with the next connection.
_REMEMBER = """
export default function ({ data }) {
  document.cookie = `${data.cookie}=${encodeURIComponent(data.name)}; path=/; SameSite=Strict`;
}
"""
_remember = st.components.v2.component("her2_remember", js=_REMEMBER)
_COOKIE = "her2_reviewer"
_LONGEST_NAME = 80


def remember_name(name: str) -> None:
    """Let the browser keep the name of who is reviewing, where nobody signs in."""
    _remember(key="remember", data={"cookie": _COOKIE, "name": name}, height=0)


def remembered_name() -> str | None:
    """The name that the browser has kept; None where it has none."""
    return printable(unquote(st.context.cookies.get(_COOKIE, "")))[:_LONGEST_NAME].strip() or None


# The field of the name, in a sidebar that may be folded away.
_ASK_NAME = """
let last = 0;
export default function ({ data }) {
  if (data.number === last) { return; }
  last = data.number;
  const field = () => document.querySelector(".st-key-reviewer input");
  if (!field()?.checkVisibility()) {
    document.querySelector('[data-testid="stExpandSidebarButton"]')?.click();
  }
  setTimeout(() => {
    field()?.focus();
    // as if by Tab: the listener above leaves the keys to the field then
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "Tab" }));
  }, 300);
}
"""
_ask_name = st.components.v2.component("her2_ask_name", js=_ASK_NAME)


def ask_name(number: int) -> None:
    """Lead the keyboard to the name field, once for each number."""
    _ask_name(key="ask-name", data={"number": number}, height=0)


def draw() -> None:
    """Put the rules on the page; to be called once a run, before anything else is drawn."""
    st.html(_STYLE.replace("GROUND", GROUND.on(st.context.theme.type == "dark")))
    _let_go(key="let-go", height=0)
