"""A bundle fitted to this laboratory's reviews: start, progress, before and after, use or not."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from her2core.accounts.records import NotAllowedError, Permission
from her2core.common.text import interval_text, markdown_text, percent_text
from her2core.models.backends.reader import BackendError
from her2core.models.bundles.card import BundleError, Metric
from her2core.models.bundles.registry import ARCHITECTURES, free_folder
from her2core.people.own_labels import ReviewedPatch, own_patches, reviewed_patches
from her2core.scores import HER2Score
from her2core.serving.services import Services
from her2core.training.adapt import Proposal, propose, write
from her2core.training.own_patches import LEAST_PATCHES, AdaptError
from her2core.xai.progress import Progress, StoppedError
from pages.shell import session

_log = logging.getLogger(__name__)
_JOB = "adapting"
_UNDECIDED = (
    "More were left out: {n}, whose double read is not decided or whose readers gave different "
    "scores."
)


@dataclass(frozen=True)
class _Job:
    architecture: str
    future: Future[Proposal]
    progress: Progress


def draw(here: Services) -> None:
    """The section; nothing for who may not choose models."""
    desk = session.desk(here.store)
    if not desk.may(Permission.CHOOSE_MODELS):
        return
    st.subheader("Adapt to our lab", anchor=False, divider="gray")
    job: _Job | None = st.session_state.get(_JOB)
    if job is None:
        _start(here)
    elif not job.future.done():
        st.fragment(_wait, run_every=0.7)(job)
    else:
        _result(here, job)


def _start(here: Services) -> None:
    desk = session.desk(here.store)
    reviews, sealed = desk.reviews()
    found, others = reviewed_patches(reviews, desk.plan())
    st.markdown(
        "Fits the last layer of a network, its temperature, prediction sets and known patches to "
        f"your reviewed patches, {LEAST_PATCHES} to 500 of several slides. Nothing changes until "
        "you have seen how it does on slides left out."
    )
    st.markdown(f"**{_counted(found)}**")
    if others or sealed:
        st.caption(_UNDECIDED.format(n=others + sealed))
    loaded = {one.architecture: one.folder for one in here.workbench.state().models if one.folder}
    if not loaded:
        st.info("The models are not loaded yet.", icon=":material/hourglass_top:")
        return
    with st.form("adapt", border=False):
        architecture = st.radio(
            "Network in use",
            list(loaded),
            format_func=lambda name: ARCHITECTURES[name].title,
            horizontal=True,
        )
        pattern = st.text_input(
            "Which part of a file's name is its slide or case (regular expression)",
            placeholder=r"^([A-Z]+\d+)_",
            max_chars=200,
            help="One pair of brackets marks it. Without it every patch counts as a slide of its "
            "own, and the figures are optimistic.",
        )
        calibrate = st.checkbox("Calibrate only: leave the layers as they are")
        if st.form_submit_button("Fit and compare", icon=":material/tune:"):
            _begin(here, architecture, loaded[architecture], found, pattern.strip(), calibrate)


def _begin(
    here: Services,
    architecture: str,
    folder: Path,
    found: list[ReviewedPatch],
    pattern: str,
    calibrate: bool,
) -> None:
    try:
        session.desk(here.store).require(Permission.CHOOSE_MODELS)
        patches = own_patches(found, here.images, pattern)
    except (AdaptError, NotAllowedError) as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return
    progress = Progress()
    future = here.adapting.submit(
        propose,
        folder,
        patches,
        here.settings,
        calibrate_only=calibrate,
        told=progress.reached,
    )
    st.session_state[_JOB] = _Job(architecture, future, progress)
    st.rerun()


def _wait(job: _Job) -> None:
    if job.future.done():
        st.rerun(scope="app")
    title = ARCHITECTURES[job.architecture].title
    st.progress(job.progress.share, f":gray[Fitting {title} to your reviews…]")
    if st.button("Stop", icon=":material/stop_circle:", key="adapt-stop"):
        job.future.cancel()
        job.progress.stop()


def _result(here: Services, job: _Job) -> None:
    try:
        found = job.future.result(timeout=0)
    except (AdaptError, BackendError, BundleError) as error:
        _ended(str(error))
        return
    except Exception as error:
        if job.future.cancelled() or isinstance(error, StoppedError):
            _ended("Stopped. Nothing was changed.")
            return
        _log.exception("A bundle could not be fitted")
        _ended("The bundle could not be fitted; the server's log says why.")
        return
    _compared(found)
    with st.container(horizontal=True):
        if st.button(
            "Write and use" if found.better else "Write and use all the same",
            type="primary" if found.better else "secondary",
            icon=":material/published_with_changes:",
            key="adapt-use",
        ):
            _use(here, job.architecture, found)
        if st.button("Discard", icon=":material/delete:", key="adapt-discard"):
            del st.session_state[_JOB]
            st.rerun()


def _ended(sentence: str) -> None:
    """Nothing came of it: say why, and offer to begin again."""
    st.info(markdown_text(sentence), icon=":material/info:")
    if st.button("Begin again", key="adapt-again"):
        del st.session_state[_JOB]
        st.rerun()


def _compared(found: Proposal) -> None:
    adapted = found.card.adapted
    assert adapted is not None
    said = f"{markdown_text(found.verdict)} **{markdown_text(found.card.name)}**"
    box = st.success if found.better else st.warning
    box(said, icon=":material/check_circle:" if found.better else ":material/balance:")
    groups = f"{adapted.groups} slides or cases" if found.grouped else "slides not known"
    st.markdown(
        f"Each of {adapted.patches} patches ({groups}) was read by what was fitted without its "
        "slide or case:"
    )
    before = {metric.name: metric for metric in found.before}
    rows = [
        {"Figure": m.name, "Before": _said(before.get(m.name)), "After": _said(m)}
        for m in found.after
    ]
    if found.unfamiliar is not None:
        first, later = (percent_text(share, 1) for share in found.unfamiliar)
        rows.append({"Figure": "called unfamiliar", "Before": first, "After": later})
    st.dataframe(
        rows, hide_index=True, height="content", key="adapt-table", alt="Before and after adapting"
    )
    pair = found.pair
    p = "no patch differs" if pair.p_value is None else f"McNemar p = {pair.p_value:.3g}"
    st.caption(
        f"Right only before: {pair.only_first_right}, only after: {pair.only_second_right} ({p}). "
        "95 % intervals, whole slides or cases resampled."
        + ("" if found.grouped else " Slides are not all known: these figures are optimistic.")
    )
    if found.known:
        st.caption(markdown_text(found.known))
    if found.left_out:
        with st.expander(f"Patches left out: {len(found.left_out)}"):
            for sentence in found.left_out:
                st.markdown(markdown_text(sentence))


def _use(here: Services, architecture: str, found: Proposal) -> None:
    adapted = found.card.adapted
    assert adapted is not None
    try:
        desk = session.desk(here.store)
        desk.require(Permission.CHOOSE_MODELS)
        folder = free_folder(here.settings, f"{architecture}-adapted")
        with st.spinner("Writing and loading the bundle…"):
            card = write(found, folder)
            here.workbench.use(architecture, folder)
        desk.note(
            "model adapted",
            f"{card.model_id} from {adapted.base}, {adapted.patches} patches; {found.verdict}",
        )
        desk.note("model chosen", card.model_id)
        here.queue.refill()
    except (BundleError, NotAllowedError) as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return
    except OSError as error:
        st.error(
            f"The bundle could not be written ({error.strerror}); free some space and try again.",
            icon=":material/error:",
        )
        return
    del st.session_state[_JOB]
    st.session_state["models_message"] = (
        f"{markdown_text(card.name)} is in use now. Recorded reviews keep their verdicts."
    )
    st.rerun()


def _counted(found: list[ReviewedPatch]) -> str:
    counts = Counter(patch.score for patch in found)
    classes = ", ".join(f"{counts[score]} of {score.label}" for score in HER2Score)
    noun = "patch counts" if len(found) == 1 else "patches count"
    return f"{len(found)} reviewed {noun}: {markdown_text(classes)}."


def _said(metric: Metric | None) -> str:
    return "–" if metric is None else interval_text(metric.value, metric.ci_low, metric.ci_high)
