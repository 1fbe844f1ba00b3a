"""Taking patches in from the browser, and telling how far that is and what became of each file."""

from collections.abc import Sequence

import streamlit as st

from her2core.accounts.records import Permission
from her2core.common.text import markdown_text
from her2core.preprocessing.image_formats import format_names
from her2core.serving.services import Services
from her2core.serving.uploads import SentFile, UploadState
from pages.review_parts import navigation
from pages.shell import session, ui

_LISTED = 20
# until a page that a file was dropped on goes on without its first patch
_FIRST_SECONDS = 60.0


def empty_state(here: Services) -> None:
    """What this is, and the two ways to begin."""
    _, middle, _ = st.columns([1, 2.2, 1])
    with middle:
        st.space("medium")
        st.title("Review HER2 IHC patches with two second readers")
        st.markdown(
            "Upload image patches; a CNN and a DenseNet121 score each one side by side, "
            "show why, and your own score is kept in a review log you can export."
        )
        uploader(here)
        st.markdown("No patch at hand?")
        sample_button(here)


def uploader(here: Services) -> None:
    """The upload field; what was dropped is taken in in the background."""
    limits = here.settings.limits
    round_no = st.session_state.setdefault("upload_round", 0)
    files = st.file_uploader(
        f"Patches: {format_names()}; or a ZIP of them",
        # Any name is let through: what a file is, its content says, and each gets its own sentence.
        type=None,
        accept_multiple_files=True,
        key=f"upload-{round_no}",
        help=f"Up to {limits.max_files} files at once, {limits.max_bytes // 2**20} MiB each. A CSV "
        "with the columns file, group and label names slide or case of each patch and the score it "
        "is known by.",
    )
    if not here.settings.store_images:
        st.caption(
            ":material/memory: Pictures are not stored here: they stay in memory until the server "
            "stops. Reviews are kept."
        )
    if files:
        _send(here, [SentFile(as_named(file.name), file.getvalue()) for file in files])


def as_named(name: str) -> str:
    """The name as the file has it; as hostile as before.

    Browsers send quotes and line breaks of a name encoded, and nothing else.
    """
    for sent, meant in (("%22", '"'), ("%0A", "\n"), ("%0D", "\r")):
        name = name.replace(sent, meant)
    return name


def sample_button(here: Services) -> None:
    """Load the shipped synthetic patches."""
    samples = sorted(here.settings.demo_dir.glob("*.png"))
    if st.button(
        "Try a sample",
        icon=":material/labs:",
        disabled=not samples,
        help="Synthetic patches drawn by a computer; no patient stands behind them.",
    ):
        _send(here, [SentFile(path.name, path.read_bytes()) for path in samples])
    st.caption("Synthetic samples, made by a computer for trying things out: not tissue.")


def _send(here: Services, files: Sequence[SentFile]) -> None:
    """Hand the files over, and bring the first patch to the front as soon as it is there."""
    session.desk(here.store).require(Permission.TAKE_IN)
    owner = session.owner()
    here.uploads.add(owner, files)
    # A new field: the browser's list is emptied and the server lets go of the bytes.
    st.session_state["upload_round"] = st.session_state.get("upload_round", 0) + 1
    with st.spinner("Taking in the first file…"):
        navigation.go_to(here.uploads.wait_for_first(owner, _FIRST_SECONDS))
    _say_how_many(here.uploads.state(owner))
    st.rerun()


def progress(here: Services) -> None:
    """How far the upload is, and then what became of it, in one calm box until it is closed."""
    state = here.uploads.state(session.owner())
    going_on = state is not None and not state.finished
    st.fragment(ui.calm(_progress), run_every=1.0 if going_on else None)(here, going_on)


def _progress(here: Services, going_on: bool) -> None:
    state = here.uploads.state(session.owner())
    if state is None:
        return
    if state.finished:
        if going_on:  # when the page was drawn
            _say_how_many(state)
            st.rerun(scope="app")
        _results(here, state)
        return
    done, files = len(state.results), max(1, state.files)
    body, stop = st.columns([11, 1.5], vertical_alignment="center")
    body.progress(
        min(1.0, done / files),
        f"Taking in file {min(done + 1, files):,} of {files:,}: {markdown_text(state.current)}",
    )
    stop.button("Stop", key="stop-upload", on_click=here.uploads.stop, args=(session.owner(),))


def _say_how_many(state: UploadState | None) -> None:
    """Let the header say what a finished upload has brought."""
    if state is None or not state.finished:
        return
    if new := sum(taken.outcome == "new" for taken in state.results):
        navigation.say(f"{_count(new, 'patch', 'patches')} taken in.")


def _results(here: Services, state: UploadState) -> None:
    refused = [taken for taken in state.results if taken.outcome == "refused"]
    known = [taken for taken in state.results if taken.outcome == "known"]
    if not (refused or known or state.remarks or state.stopped):
        return
    new = sum(taken.outcome == "new" for taken in state.results)
    lines = [f"**{_count(new, 'patch', 'patches') if new else 'No new patch'} taken in.**"]
    if state.stopped:
        lines.append("The upload was stopped; upload the other files again when you want them.")
    if refused:
        lines.append(f"{_count(len(refused), 'file', 'files')} could not be used:")
        lines += _listed([taken.message for taken in refused])
    if known:
        lines.append(f"{_count(len(known), 'file', 'files')} known already:")
        lines += _listed([taken.message for taken in known])
    lines += _listed(state.remarks)
    body, close = st.columns([11, 1.5], vertical_alignment="top")
    body.info("\n\n".join(lines), icon=":material/inventory_2:")
    close.button(
        "Close", on_click=here.uploads.forget, args=(session.owner(),), key="close-results"
    )


def _listed(sentences: Sequence[str]) -> list[str]:
    lines = [f"- {markdown_text(one)}" for one in sentences[:_LISTED]]
    if len(sentences) > _LISTED:
        lines.append(f"- and {len(sentences) - _LISTED} more.")
    return ["\n".join(lines)] if lines else []


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
