"""Keeps Streamlit from clearing the Keras session under models which all sessions share.

After every run of a page Streamlit calls `keras.backend.clear_session()`, meant for scripts which
build their models anew each time. Here the models live as long as the server and are used, and
compiled, in other threads meanwhile: clearing pulls the state from under them and collects all
garbage of TensorFlow, for some tenths of a second each time.
"""

from __future__ import annotations

from streamlit.runtime.scriptrunner import script_runner


def keep() -> None:
    """Switch the clearing off for this server; further calls change nothing."""
    script_runner._clean_problem_modules = _leave_alone


def _leave_alone() -> None:
    """What is done to Keras after a run: nothing."""
