"""A bundle fitted to this laboratory's reviews: start, progress, before and after, use or not."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from her2core.accounts.records import NotAllowedError, Permission
from her2core.charts.learning import learning_plot
from her2core.charts.plotly_figures import plotly_figure
from her2core.common.interval_level import LEVEL_TEXT
from her2core.common.text import interval_text, markdown_text, percent_text
from her2core.models.architectures import ARCHITECTURES
from her2core.models.backends.reader import BackendError
from her2core.models.bundles.card import BundleError, Metric
from her2core.models.bundles.registry import free_folder
from her2core.people.own_labels import ReviewedPatch, own_patches, reviewed_patches
from her2core.reviews.records import ReviewFilter
from her2core.scores import HER2Score
from her2core.serving.services import Services
from her2core.training.adapt import Proposal, propose, write
from her2core.training.own_patches import LEAST_PATCHES, AdaptError
from her2core.xai.progress import Progress, StoppedError
from pages.shell import charts, session, ui, using

_log = logging.getLogger(__name__)
_JOB = "adapting"
ADAPTED = "model adapted"  # in the audit
_SETTLED = "learning_settled"
MOST_PATCHES = 500
_NEWEST = 2 * MOST_PATCHES  # entries: patches are read twice, and answers corrected
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
    """The section, for who may choose models."""
    st.subheader("Fit to our reviews", anchor=False, divider="gray")
    job: _Job | None = st.session_state.get(_JOB)
    if job is None:
        _start(here)
    elif not job.future.done():
        st.fragment(_wait, run_every=0.7)(job)
    else:
        _result(here, job)


def _settled(here: Services, *, blind_only: bool) -> tuple[list[ReviewedPatch], int]:
    """The newest patches whose score is settled and the number of others.

    Read anew after a review; of a long log its newest entries, so that the page stays quick.
    """
    desk = session.desk(here.store)
    head = here.store.head()
    key = (None if head is None else head.last_hash, blind_only)
    kept = st.session_state.get(_SETTLED)
    if kept is None or kept[0] != key:
        newest = desk.log().screen(ReviewFilter(), size=_NEWEST)
        plan = desk.plan({review.patch.sha256 for review in newest.reviews})
        found, others = reviewed_patches(newest.reviews, plan, blind_only=blind_only)
        kept = st.session_state[_SETTLED] = (key, (found[-MOST_PATCHES:], others + newest.sealed))
    settled: tuple[list[ReviewedPatch], int] = kept[1]
    return settled


def _start(here: Services) -> None:
    blind_only = st.toggle(
        "Blind reviews only",
        key="learning_blind",
        help="Who has seen the verdicts is drawn towards them: what is learnt from such reviews "
        "teaches the networks in part what they said before.",
    )
    found, others = _settled(here, blind_only=blind_only)
    st.markdown(
        f"**{_counted(found)}** The last layer of a network, its temperature, prediction sets and "
        f"known patches are fitted to them; {LEAST_PATCHES} or more of several slides are wanted, "
        f"and the newest {MOST_PATCHES} count."
    )
    if others:
        st.caption(_UNDECIDED.format(n=others))
    loaded = {one.architecture: one.folder for one in here.workbench.state().models if one.folder}
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
            help="For patches whose case no table named at the upload. One pair of brackets "
            "marks it. Without it every patch counts as a slide of its own, and the figures are "
            "optimistic.",
        )
        calibrate = st.checkbox("Calibrate only: leave the layers as they are")
        few = len(found) < LEAST_PATCHES
        if few:
            st.caption(f":material/info: {LEAST_PATCHES - len(found)} more are wanted to begin.")
        if st.form_submit_button("Fit and compare", icon=":material/tune:", disabled=few):
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
        on_progress=progress.reached,
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
        proposal = job.future.result(timeout=0)
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
    _compared(proposal)
    with st.container(horizontal=True):
        if st.button(
            "Write and use" if proposal.better else "Write and use all the same",
            type="primary" if proposal.better else "secondary",
            icon=":material/published_with_changes:",
            key="adapt-use",
        ):
            _use(here, proposal)
        if st.button("Discard", icon=":material/delete:", key="adapt-discard"):
            del st.session_state[_JOB]
            st.rerun()


def _ended(sentence: str) -> None:
    """Nothing came of it: say why, and offer to begin again."""
    st.info(markdown_text(sentence), icon=":material/info:")
    if st.button("Begin again", key="adapt-again"):
        del st.session_state[_JOB]
        st.rerun()


def _compared(proposal: Proposal) -> None:
    adapted = proposal.card.adapted
    assert adapted is not None
    headline = f"{markdown_text(proposal.verdict)} **{markdown_text(proposal.card.name)}**"
    box = st.success if proposal.better else st.warning
    box(headline, icon=":material/check_circle:" if proposal.better else ":material/balance:")
    groups = f"{adapted.groups} slides or cases" if proposal.grouped else "slides not known"
    st.markdown(
        f"Each of {adapted.patches} patches ({groups}) was read by what was fitted without its "
        "slide or case:"
    )
    figure = plotly_figure(learning_plot(proposal.curve), dark=ui.is_dark())
    charts.show(
        figure,
        "learning_curve",
        "How often scores are right after learning from more and more patches",
        saved_as="learning-curve",
    )
    st.caption(
        "The learning curve: the first point is the bundle as it is, the last one what learnt from "
        "all patches but those left out. While it rises, more reviews are worth making."
    )
    before = {metric.name: metric for metric in proposal.before}
    rows = [
        {"Figure": m.name, "Before": _said(before.get(m.name)), "After": _said(m)}
        for m in proposal.after
    ]
    if proposal.unfamiliar is not None:
        first, later = (percent_text(share, 1) for share in proposal.unfamiliar)
        rows.append({"Figure": "called unfamiliar", "Before": first, "After": later})
    st.dataframe(
        rows, hide_index=True, height="content", key="adapt-table", alt="Before and after adapting"
    )
    pair = proposal.pair
    p = "no patch differs" if pair.p_value is None else f"McNemar p = {pair.p_value:.3g}"
    st.caption(
        f"Right only before: {pair.only_first_right}, only after: {pair.only_second_right} ({p}). "
        f"{LEVEL_TEXT} intervals, whole slides or cases resampled."
        + ("" if proposal.grouped else " Slides are not all known: these figures are optimistic.")
    )
    if proposal.known:
        st.caption(markdown_text(proposal.known))
    if proposal.left_out:
        with st.expander(f"Patches left out: {len(proposal.left_out)}"):
            for sentence in proposal.left_out:
                st.markdown(markdown_text(sentence))


def _use(here: Services, proposal: Proposal) -> None:
    adapted = proposal.card.adapted
    assert adapted is not None
    try:
        desk = session.desk(here.store)
        desk.require(Permission.CHOOSE_MODELS)
        folder = free_folder(here.settings, f"{proposal.card.architecture}-adapted")
        card = write(proposal, folder)
        desk.note(
            ADAPTED,
            f"{card.model_id} from {adapted.base}, {adapted.patches} patches; {proposal.verdict}",
        )
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
    using.use(here, card, folder)


def _counted(found: list[ReviewedPatch]) -> str:
    counts = Counter(patch.score for patch in found)
    classes = ", ".join(f"{counts[score]} of {score.label}" for score in HER2Score)
    noun = "patch counts" if len(found) == 1 else "patches count"
    return f"{len(found)} reviewed {noun}: {markdown_text(classes)}."


def _said(metric: Metric | None) -> str:
    return "–" if metric is None else interval_text(metric.value, metric.ci_low, metric.ci_high)
