"""Models: which networks read the patches, where they come from, and which bundle is in use."""

import hashlib
from pathlib import Path

import streamlit as st

from her2core.accounts.records import Permission
from her2core.common.text import markdown_text
from her2core.models.architectures import ARCHITECTURES
from her2core.models.bundles.card import BundleError, ModelCard
from her2core.models.bundles.registry import BundleEntry, chosen, find_bundles
from her2core.serving.services import Services
from pages.models_parts import map_fidelity, model_cards
from pages.shell import session, ui, using


def main() -> None:
    """Draw the page."""
    here = ui.services_or_stop()
    st.title("Models", anchor=False)
    st.caption(
        "The networks are second readers for research. A model's card says what it was trained "
        "on and how it did there; it cannot say how it does on your slides."
    )
    using.message()
    entries = find_bundles(here.settings)
    wanted = _wanted(here)
    for architecture in ARCHITECTURES:
        _architecture(here, architecture, entries, wanted.get(architecture))
    _broken([entry for entry in entries if entry.card is None])
    _own_bundles(here)


def _wanted(here: Services) -> dict[str, Path]:
    """What a server that starts now loads; what this one has loaded is the workbench's to say."""
    try:
        return chosen(here.settings)
    except BundleError as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return {}


def _architecture(
    here: Services, architecture: str, entries: tuple[BundleEntry, ...], wanted: Path | None
) -> None:
    title = ARCHITECTURES[architecture].title
    st.subheader(title, anchor=False, divider="gray")
    own = [entry for entry in entries if entry.card and entry.card.architecture == architecture]
    folder = _loaded_folder(here, architecture) or wanted
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
        _bundle(here, entry, wanted=entry.folder == wanted)


def _loaded_folder(here: Services, architecture: str) -> Path | None:
    models = here.workbench.state().models
    return next((one.folder for one in models if one.architecture == architecture), None)


def _bundle(here: Services, entry: BundleEntry, *, wanted: bool) -> None:
    """One bundle's card; `wanted`: a server that starts now loads it."""
    card = entry.card
    assert card is not None
    loaded = here.workbench.cards().get(card.architecture)
    # the folder and the model: files may have been exchanged since they were loaded
    in_use = (
        loaded is not None
        and loaded.model_id == card.model_id
        and entry.folder == _loaded_folder(here, card.architecture)
    )
    loading = wanted and not in_use and not here.workbench.state().finished
    with st.container(border=True, key=f"bundle-{_place(entry)}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{markdown_text(card.name)}**", width="content")
            if card.demo:
                st.badge("demo", color="violet", icon=":material/science:")
            if in_use:
                st.badge("in use", color="green", icon=":material/check:")
            elif wanted and not loading:
                st.badge("at the next start", color="orange", icon=":material/schedule:")
        if card.demo:
            st.warning(model_cards.DEMO_NOTE, icon=":material/science:")
        left, right = st.columns([37, 63], gap="medium")
        with left:
            model_cards.facts(card)
            model_cards.training(card)
        with right:
            model_cards.metrics(card, key=f"metrics-{_place(entry)}")
        map_fidelity.draw(here, card.model_id, key=_place(entry))
        _checksum(card, entry.folder, in_use=in_use, loading=loading, wanted=wanted)
        if not (in_use or loading) and st.button(
            disabled=not session.desk(here.store).may(Permission.CHOOSE_MODELS),
            label=f"Use this {ARCHITECTURES[card.architecture].title}",
            key=f"use-{_place(entry)}",
            icon=":material/published_with_changes:",
            help="New verdicts come from it. Recorded reviews keep the verdicts they were given.",
        ):
            using.use(here, card, entry.folder)


def _checksum(card: ModelCard, folder: Path, *, in_use: bool, loading: bool, wanted: bool) -> None:
    if in_use:
        state = ":green[:material/verified: verified] when it was loaded"
    elif loading:
        state = ":gray[:material/hourglass_top: being verified while it loads]"
    elif wanted:
        state = ":red[:material/gpp_bad: not loaded]; where that failed, the sidebar says why"
    else:
        state = ":gray[:material/pending: not verified yet], this is done when it is loaded"
    st.markdown(f"Checksum {state} · model `{card.model_id}`")
    with st.expander("Checksums and folder"):
        st.text(f"weights sha256     {card.weights_sha256}")
        st.text(f"background sha256  {card.background_sha256}")
        st.text(f"folder             {folder}")


def _broken(entries: list[BundleEntry]) -> None:
    if not entries:
        return
    st.subheader("Bundles that cannot be used", anchor=False, divider="gray")
    for entry in entries:
        st.warning(markdown_text(entry.problem or ""), icon=":material/broken_image:")


def _own_bundles(here: Services) -> None:
    st.subheader("Your own bundle", anchor=False, divider="gray")
    st.markdown(
        "Copy the whole bundle folder (card.json, weights.safetensors, background.safetensors) "
        "into the last folder below, then reload this page and choose it: until then the models in "
        "use stay, also when the server starts again. Bundles are looked for in these folders; "
        "those that HER2_BUNDLES names come first, and a bundle there needs no choosing where "
        "none was chosen before."
    )
    st.code("\n".join(str(folder) for folder in here.settings.bundle_dirs), language=None)


def _place(entry: BundleEntry) -> str:
    """Part of a widget key: two copies of one bundle may lie in two folders."""
    return hashlib.sha256(str(entry.folder).encode()).hexdigest()[:12]


main()
