"""Review: the patch large, both second readers beside it, and the reviewer's answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import streamlit as st

from her2core.common.text import markdown_text, spaced_percent
from her2core.models.assessable import asks_for_cells, assess_tumour
from her2core.models.ood.novelty import warning as novelty_warning
from her2core.models.verdict import Verdict
from her2core.people.worklist import Front, Worklist
from her2core.preprocessing.patches import Patch, PatchError, is_remark
from her2core.preprocessing.quality.assessment import QualityReport, assess
from her2core.reviews.records import Review, WorklistItem
from her2core.reviews.store import StoreError
from her2core.serving.services import Services
from pages.review_parts import (
    answer,
    double_read,
    navigation,
    recorded,
    stain_panel,
    typing,
    upload,
    verdicts,
    viewer,
)
from pages.review_parts.draft import opened
from pages.shell import exposure, session, ui
from pages.shell.drafts import Draft

_log = logging.getLogger(__name__)


def main() -> None:
    """Draw the page."""
    here = ui.services_or_stop()
    worklist = navigation.worklist(here)
    _advance_after_saving(worklist)
    front = navigation.current(worklist)
    if front is None:
        upload.progress(here)
        upload.empty_state(here)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        navigation.header(front)
        # with another key it is another one, and closed, as soon as files were taken in
        key = f"add-{st.session_state.get('upload_round', 0)}"
        with st.popover("Add patches", icon=":material/add_photo_alternate:", key=key):
            upload.uploader(here)
            upload.sample_button(here)
    # always there, so that nothing below moves to another place when it is closed: a click that
    # comes while the page is drawn finds its fragment by its place
    with st.container():
        upload.progress(here)
    _workplace(here, front)
    typing.listen()


def _workplace(here: Services, front: Front) -> None:
    """Image at the left, second readers and answer at the right."""
    item = front.item
    desk = session.desk(here.store)
    review = desk.review(item.review_id) if item.review_id is not None else None
    draft = opened(here, item.patch.sha256, review)
    sight = desk.sight(item.patch.sha256)
    shown_review = review if draft.correcting is None else None
    try:
        centred = ui.load_patch(item.patch.sha256, item.patch.name)
        patch = _with_square(centred, draft, shown_review)
    except PatchError as error:
        st.warning(markdown_text(str(error)), icon=":material/broken_image:")
        return
    here.stain.start(patch)  # in the background, while the page is drawn
    left, right = st.columns([61, 39], gap="medium")
    with right:
        readings = _readings(here, patch, shown_review)
    known = bool(exposure.among(here, [item.patch.sha256]))
    hidden = not sight.verdicts or (ui.blind_mode() and review is None and not known)
    if not hidden and (readings or shown_review is not None):
        exposure.mark(here, [item.patch.sha256])
    with left:
        viewer.draw(
            here,
            patch,
            readings or (),
            hidden=hidden,
            stain=_is_measured_as_recorded(here, patch, shown_review),
            movable=shown_review is None,
        )
        if shown_review is None:
            viewer.square_controls(patch)
    with right:
        quality = _assessed(patch.key, patch)
        _warnings(quality, patch, centred, item, readings or ())
        double_read.draw(desk, item.patch.sha256, sight)
        if hidden and sight.verdicts:
            st.info(
                "Blind mode: the verdicts stay hidden until your own score is saved.",
                icon=":material/visibility_off:",
            )
        elif readings and not hidden:
            if ui.blind_mode() and review is None:
                _not_blind()
            cells = here.stain.reading(patch) if asks_for_cells(readings) else None
            tumour = assess_tumour(readings, cells, patch.square.size)
            verdicts.draw(
                readings,
                here.workbench.cards(),
                tumour,
                here.settings.external_file,
                parts=here.workbench.parts(patch),
                doubtful=not quality.confirmable,
                disregard=quality.disregard,
            )
            if not quality.disregard:
                stain_panel.draw(here.stain, patch, readings, shown_review)
        if shown_review is not None:
            recorded.draw(shown_review, front.to_review, hidden)
        elif readings is not None:
            if hidden and known:
                _not_blind()
            if review is not None and draft.overtaken:
                recorded.overtaken(review)
            asked = answer.Question(patch, readings, hidden, blind=hidden and not known)
            answer.form(here, asked)


def _is_measured_as_recorded(here: Services, patch: Patch, review: Review | None) -> bool:
    """Whether cells drawn now are those that the review tells of; other settings find others."""
    kept = None if review is None else review.stain
    return kept is None or kept == here.stain.known(patch)


def _not_blind() -> None:
    st.caption(
        ":material/visibility: The verdicts of this patch were shown before; this review is "
        "recorded as not blind."
    )


def _readings(here: Services, patch: Patch, review: Review | None) -> tuple[Verdict, ...] | None:
    """The verdicts for this square: as recorded for a review, else read now.

    Returns:
        None while the models are loading; empty when no model can read.
    """
    if review is not None and review.verdicts:
        return review.verdicts
    state = here.workbench.state()
    if not state.finished:
        st.info(
            "The models are loading. The verdicts appear here by themselves.",
            icon=":material/hourglass_top:",
        )
        return None
    if not state.ready:
        st.warning(
            "No model could be loaded, so there is no second reader. Your own review can be saved "
            "without verdicts.",
            icon=":material/warning:",
        )
        return ()
    try:
        readings = here.workbench.verdicts(patch)
        recorded_key = (patch.key, *(reading.model_id for reading in readings))
        if recorded_key not in here.recorded:
            here.store.record_verdicts(patch.sha256, patch.square, readings)
            here.recorded.add(recorded_key)
    except StoreError:
        raise  # the database is away, the models are not: main.py says so
    except Exception:
        _log.exception("Patch %s could not be read", patch.sha256[:12])
        st.warning("The models could not read this patch.", icon=":material/warning:")
        return ()
    return readings


def _with_square(patch: Patch, draft: Draft, review: Review | None) -> Patch:
    """The patch with the square of its review, or with the one chosen for the answer begun."""
    square = review.square if review else draft.square
    return patch.with_square(square) if square else patch


def _warnings(
    quality: QualityReport,
    patch: Patch,
    centred: Patch,
    item: WorklistItem,
    readings: Sequence[Verdict],
) -> None:
    """What the reviewer should know of the image before trusting any verdict."""
    strange = novelty_warning(readings)
    # Those kept with the patch: of the file, which hold for every square, and of the centred one.
    # An earlier version may have written them: each is told once.
    kept = [spaced_percent(sentence) for sentence in item.patch.warnings]
    if patch.square != centred.square:
        of_centred = _assessed(centred.key, centred).warnings
        kept = [sentence for sentence in kept if sentence not in of_centred]
    # what is wrong comes before that something is, and instead of it where it says all
    vague = () if strange is None or quality.disregard else (strange,)
    warnings = dict.fromkeys((*quality.warnings, *vague, *kept))
    serious = [sentence for sentence in warnings if not is_remark(sentence)]
    if serious:
        st.warning("  \n".join(map(markdown_text, serious)), icon=":material/report:")
    for remark in filter(is_remark, warnings):
        st.caption(markdown_text(remark))


@st.cache_data(max_entries=256, show_spinner=False)
def _assessed(key: str, _patch: Patch) -> QualityReport:
    return assess(_patch)


def _advance_after_saving(worklist: Worklist) -> None:
    """After a review the next unreviewed patch comes up; after a blind one its verdicts first."""
    saved = st.session_state.pop("just_saved", None)
    if saved and not saved[1]:
        navigation.go_to(worklist.next_to_review(saved[0]))


main()
