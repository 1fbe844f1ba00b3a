"""Sends a comment to the server while it is being typed, so that it is not lost with the window.

Streamlit sends a text only when its field is left, or at Ctrl+Enter: that key is pressed here in
each pause of the typing. There is no setting for it.
"""

import streamlit as st

_SEND = """
export default function () {
  const pause = 1000;
  let timer;
  const later = (event) => {
    const field = event.target;
    if (!(field instanceof HTMLTextAreaElement) || !field.closest(".st-key-answer")) { return; }
    clearTimeout(timer);
    timer = setTimeout(() => send(field), pause);
  };
  const send = (field) => {
    if (!field.isConnected) { return; }
    if (field.disabled) {  // the connection is lost: send it as soon as it is there again
      timer = setTimeout(() => send(field), 100);
      return;
    }
    const key = { key: "Enter", code: "Enter", ctrlKey: true, bubbles: true, cancelable: true };
    field.dispatchEvent(new KeyboardEvent("keydown", key));
    // and let go of: while a key is held, no answer key of the page is heard
    field.dispatchEvent(new KeyboardEvent("keyup", key));
  };
  document.addEventListener("input", later);
  return () => document.removeEventListener("input", later);
}
"""
_send = st.components.v2.component("her2_send_typed", js=_SEND)


def listen() -> None:
    """Listen on the Review page; draws nothing."""
    _send(key="send-typed", height=0)
