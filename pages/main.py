"""The script that Streamlit runs for each browser: the gate, then the page asked for.

Started by app.py. The pages beside it are run by `st.navigation` alone: there is no folder
`pages` beside this file that Streamlit could take for an application of the old kind.
"""

import logging

import streamlit as st

from her2core.accounts.records import NotAllowedError
from her2core.charts.icon import ICON
from her2core.common.text import markdown_text
from her2core.reviews.store import StoreError
from pages.shell import chrome, drafts, gate, ui

_log = logging.getLogger(__name__)

st.set_page_config(
    page_title="HER2 Review",
    page_icon=ICON,  # one of Streamlit's own would be fetched from another host
    layout="wide",
    initial_sidebar_state="auto",
)
chrome.draw()
drafts.mark_begun()
here = ui.started_or_stop()
entry = gate.look_or_stop(here)
# Before sign-in the pages are known, so that a link leads on, but neither named nor run.
page = st.navigation(
    {
        "HER2 Review": [
            st.Page(ui.REVIEW_PAGE, title="Review", icon=":material/biotech:", default=True),
            st.Page(ui.WORKLIST_PAGE, title="Worklist", icon=":material/checklist:"),
            st.Page(ui.SLIDES_PAGE, title="Slides", icon=":material/grid_view:"),
            st.Page(ui.REVIEW_LOG_PAGE, title="Review log", icon=":material/history:"),
            st.Page(ui.EVALUATION_PAGE, title="Evaluation", icon=":material/monitoring:"),
            st.Page(ui.MODELS_PAGE, title="Models", icon=":material/deployed_code:"),
            st.Page(ui.LEARNING_PAGE, title="Learning", icon=":material/school:"),
        ]
    },
    position="sidebar" if entry.known else "hidden",
)
try:
    if not entry.known:
        gate.ask(here, entry)
    gate.sign_out_button(here)
    ui.sidebar(here)
    page.run()
except NotAllowedError as error:
    ui.calm_stop(markdown_text(str(error)))
except StoreError as error:
    _log.exception("The review store failed")
    ui.calm_stop(markdown_text(str(error)))
except Exception:
    _log.exception("A page failed")
    ui.calm_stop(
        "Something went wrong on this page; what is recorded is safe. Try again, and if it "
        "comes back, tell who runs this server: its log says what happened."
    )
