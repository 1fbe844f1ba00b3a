"""Putting a bundle in use: allowed, loaded, in the audit, and every patch read anew."""

from pathlib import Path

import streamlit as st

from her2core.accounts.records import NotAllowedError, Permission
from her2core.common.text import markdown_text
from her2core.models.bundles.card import BundleError, ModelCard
from her2core.serving.services import Services
from pages.shell import session

_MESSAGE = "bundle_message"


def use(here: Services, card: ModelCard, folder: Path, *, why: str = "model chosen") -> None:
    """Use this bundle from now on, or say in one sentence why not; the page is drawn again.

    Args:
        here: the services.
        card, folder: of the bundle.
        why: the action in the audit.
    """
    try:
        desk = session.desk(here.store)
        desk.require(Permission.CHOOSE_MODELS)
        with st.spinner("Loading and verifying the bundle…"):
            here.workbench.use(card.architecture, folder)
        desk.note(why, card.model_id)
        here.queue.refill()
    except (BundleError, NotAllowedError) as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return
    st.session_state[_MESSAGE] = (
        f"{markdown_text(card.name)} is in use now. Recorded reviews keep their verdicts."
    )
    st.rerun()


def message() -> None:
    """What was put in use by the click before."""
    place = st.container()  # there with and without a message: what lies below stays as it is
    if sentence := st.session_state.pop(_MESSAGE, None):
        place.success(sentence, icon=":material/check_circle:")
