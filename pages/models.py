"""Models: which networks read the patches, where they come from, and which bundle is in use."""

from __future__ import annotations

import hashlib
from pathlib import Path

import streamlit as st

from her2core.accounts.records import Permission
from her2core.models.card import BundleError, ModelCard
from her2core.models.registry import ARCHITECTURES, BundleEntry, chosen, find_bundles
from her2core.text import markdown_text
from pages import map_fidelity, model_cards, session, ui


def main() -> None:
    """Draw the page."""
    here = ui.services_or_stop()
    st.title("Models", anchor=False)
    st.caption(
        "Both networks are second readers for research. A model's card says what it was trained "
        "on and how it did there; it cannot say how it does on your slides."
    )
    if message := st.session_state.pop("models_message", None):
        st.toast(message, icon=":material/check_circle:")
    entries = find_bundles(here.settings)
    in_use = _in_use(here)
    for architecture in ARCHITECTURES:
        _architecture(here, architecture, entries, in_use.get(architecture))
    _broken([entry for entry in entries if entry.card is None])
    _own_bundles(here)


def _in_use(here: ui.Services) -> dict[str, Path]:
    try:
        return chosen(here.settings)
    except BundleError as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return {}


def _architecture(
    here: ui.Services, architecture: str, entries: tuple[BundleEntry, ...], folder: Path | None
) -> None:
    title = ARCHITECTURES[architecture].title
    st.subheader(title, anchor=False, divider="gray")
    own = [entry for entry in entries if entry.card and entry.card.architecture == architecture]
    if folder is not None and folder not in [entry.folder for entry in own]:
        st.error(
            f"The {title} bundle in use, {markdown_text(folder.name)}, is gone or cannot be read. "
            "Put it back, or use another one below.",
            icon=":material/folder_off:",
        )
    if not own:
        st.info(
            f"No {title} bundle was found. The other model works without it; see below where "
            "bundles are looked for.",
            icon=":material/deployed_code_alert:",
        )
    for entry in sorted(own, key=lambda entry: entry.folder != folder):
        _bundle(here, entry, in_use=entry.folder == folder)


def _bundle(here: ui.Services, entry: BundleEntry, *, in_use: bool) -> None:
    card = entry.card
    assert card is not None
    with st.container(border=True, key=f"bundle-{_place(entry)}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{markdown_text(card.name)}**", width="content")
            if card.demo:
                st.badge("DEMO", color="violet", icon=":material/science:")
            if in_use:
                st.badge("in use", color="green", icon=":material/check:")
        if card.demo:
            st.warning(model_cards.DEMO_NOTE, icon=":material/science:")
        left, right = st.columns([48, 52], gap="medium")
        with left:
            model_cards.facts(card)
        with right:
            model_cards.metrics(card, key=f"metrics-{_place(entry)}")
        map_fidelity.draw(here, card.model_id, key=_place(entry))
        _checksum(here, card, entry.folder, in_use=in_use)
        if not in_use and st.button(
            disabled=not session.desk(here.store).may(Permission.CHOOSE_MODELS),
            label=f"Use this {ARCHITECTURES[card.architecture].title}",
            key=f"use-{_place(entry)}",
            icon=":material/published_with_changes:",
            help="New verdicts come from it. Recorded reviews keep the verdicts they were given.",
        ):
            _use(here, entry)


def _checksum(here: ui.Services, card: ModelCard, folder: Path, *, in_use: bool) -> None:
    state = here.workbench.state()
    loaded = here.workbench.cards().get(card.architecture)
    if in_use and loaded is not None and loaded.model_id == card.model_id:
        said = ":green[:material/verified: verified] when it was loaded"
    elif in_use and not state.finished:
        said = ":gray[:material/hourglass_top: being verified while it loads]"
    elif in_use:
        said = ":red[:material/gpp_bad: not loaded], see the message in the sidebar"
    else:
        said = ":gray[:material/pending: not verified yet], this is done when it is loaded"
    st.markdown(f"Checksum {said} · model `{card.model_id}`")
    with st.expander("Checksums and folder"):
        st.text(f"weights sha256     {card.weights_sha256}")
        st.text(f"background sha256  {card.background_sha256}")
        st.text(f"folder             {folder}")


def _use(here: ui.Services, entry: BundleEntry) -> None:
    card = entry.card
    assert card is not None
    try:
        desk = session.desk(here.store)
        desk.require(Permission.CHOOSE_MODELS)
        with st.spinner("Loading and verifying the bundle…"):
            here.workbench.use(card.architecture, entry.folder)
        desk.note("model chosen", card.model_id)
    except BundleError as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return
    st.session_state["models_message"] = (
        f"{markdown_text(card.name)} is in use now. Recorded reviews keep their verdicts."
    )
    st.rerun()


def _broken(entries: list[BundleEntry]) -> None:
    if not entries:
        return
    st.subheader("Bundles that cannot be used", anchor=False, divider="gray")
    for entry in entries:
        st.warning(markdown_text(entry.problem or ""), icon=":material/broken_image:")


def _own_bundles(here: ui.Services) -> None:
    st.subheader("Your own bundle", anchor=False, divider="gray")
    st.markdown(
        "Copy the whole bundle folder (card.json, weights.safetensors, background.safetensors) "
        "into the first folder below, then reload this page and choose it. Bundles are looked for "
        "in these folders, in this order; HER2_BUNDLES adds more in front."
    )
    st.code("\n".join(str(folder) for folder in here.settings.bundle_dirs), language=None)


def _place(entry: BundleEntry) -> str:
    """Part of a widget key: two copies of one bundle may lie in two folders."""
    return hashlib.sha256(str(entry.folder).encode()).hexdigest()[:12]


main()
