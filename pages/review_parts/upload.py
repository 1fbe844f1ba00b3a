"""Taking patches in from the browser, and telling what became of each file."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from her2core.common.text import markdown_text
from her2core.preprocessing.image_formats import format_names
from her2core.serving.intake import Taken, take_in
from her2core.serving.services import Services
from pages.review_parts import navigation
from pages.shell import session

_LISTED = 20


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
    """The upload field; whatever was dropped is taken in before the page goes on."""
    limits = here.settings.limits
    round_no = st.session_state.setdefault("upload_round", 0)
    files = st.file_uploader(
        f"Patches: {format_names()}",
        # Any name is let through: what a file is, its content says, and each gets its own sentence.
        type=None,
        accept_multiple_files=True,
        key=f"upload-{round_no}",
        help=f"Up to {limits.max_files} files at once, {limits.max_bytes // 2**20} MB each.",
    )
    if not here.settings.store_images:
        st.caption(
            ":material/memory: Pictures are not stored here: they stay in memory until the server "
            "stops. Reviews are kept."
        )
    if not files:
        return
    session.desk(here.store).require_take_in()
    done: dict[str, Taken] = st.session_state.setdefault("upload_done", {})
    chosen = files[: limits.max_files]
    bar = st.progress(0.0, "Taking in the files…")
    for index, file in enumerate(chosen):
        # Files already taken in are passed over when a click elsewhere has restarted this loop.
        if file.file_id not in done:
            bar.progress(index / len(chosen), f"Taking in file {index + 1} of {len(chosen)}")
            taken = take_in(file.getvalue(), as_named(file.name), here.images, here.store, limits)
            done[file.file_id] = taken
            if taken.outcome == "new" and taken.sha256:
                here.queue.add(taken.sha256, taken.name)
    results = [done[file.file_id] for file in chosen]
    _finish(results, left_out=len(files) - len(chosen))


def as_named(name: str) -> str:
    """The name as the file has it; as hostile as before.

    Browsers send quotes and line breaks of a name encoded, and nothing else.
    """
    for sent, meant in (("%22", '"'), ("%0A", "\n"), ("%0D", "\r")):
        name = name.replace(sent, meant)
    return name


def sample_button(here: Services) -> None:
    """Load the shipped synthetic patches."""
    samples = _samples(str(here.settings.demo_dir))
    if st.button(
        "Try a sample",
        icon=":material/labs:",
        disabled=not samples,
        help="Synthetic patches drawn by a computer; no patient stands behind them.",
    ):
        results = []
        bar = st.progress(0.0, "Taking in the samples…")
        for index, path in enumerate(samples):
            bar.progress(index / len(samples), "Taking in the samples…")
            taken = take_in(
                path.read_bytes(), path.name, here.images, here.store, here.settings.limits
            )
            results.append(taken)
            if taken.outcome == "new" and taken.sha256:
                here.queue.add(taken.sha256, taken.name)
        st.session_state["samples_loaded"] = True
        _finish(results, left_out=0)
    st.caption("Synthetic samples, made by a computer for trying things out: not tissue.")


def results_box() -> None:
    """What became of the last upload, in one calm box, until it is closed."""
    results: Sequence[Taken] = st.session_state.get("upload_results", ())
    left_out: int = st.session_state.get("upload_left_out", 0)
    refused = [taken for taken in results if taken.outcome == "refused"]
    known = [taken for taken in results if taken.outcome == "known"]
    if not (refused or known or left_out):
        return
    new = sum(taken.outcome == "new" for taken in results)
    lines = [f"**{_count(new, 'patch', 'patches') if new else 'No new patch'} taken in.**"]
    if refused:
        lines.append(f"{_count(len(refused), 'file', 'files')} could not be used:")
        lines += _listed(refused)
    if known:
        lines.append(f"{_count(len(known), 'file', 'files')} known already:")
        lines += _listed(known)
    if left_out:
        lines.append(
            f"{_count(left_out, 'file', 'files')} beyond the limit of one upload left out; "
            "upload them next."
        )
    body, close = st.columns([11, 1.5], vertical_alignment="top")
    body.info("\n\n".join(lines), icon=":material/inventory_2:")
    close.button("Close", on_click=_close, key="close-results")


def _finish(results: list[Taken], left_out: int) -> None:
    st.session_state["upload_results"] = results
    st.session_state["upload_left_out"] = left_out
    # A new field: the browser's list is emptied and the server lets go of the bytes.
    st.session_state["upload_round"] = st.session_state.get("upload_round", 0) + 1
    st.session_state.pop("upload_done", None)
    new = [taken for taken in results if taken.outcome == "new"]
    first = next((taken.sha256 for taken in (*new, *results) if taken.sha256), None)
    navigation.go_to(first)
    if new:
        navigation.say(f"{_count(len(new), 'patch', 'patches')} taken in.")
    st.rerun()


def _close() -> None:
    st.session_state.pop("upload_results", None)
    st.session_state.pop("upload_left_out", None)


def _listed(taken: Sequence[Taken]) -> list[str]:
    lines = [f"- {markdown_text(one.message)}" for one in taken[:_LISTED]]
    if len(taken) > _LISTED:
        lines.append(f"- and {len(taken) - _LISTED} more.")
    return ["\n".join(lines)]


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _samples(folder: str) -> list[Path]:
    return sorted(Path(folder).glob("*.png"))
