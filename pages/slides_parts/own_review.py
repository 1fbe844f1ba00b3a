"""The pathologist's own score of a slide, or of a core of a microarray, recorded like any other."""

from __future__ import annotations

import hashlib
from functools import partial

import streamlit as st

from her2core.common.text import markdown_text
from her2core.reviews.records import Review, ReviewFilter
from her2core.serving.services import Services
from her2core.serving.slide_shelf import ShelfSlide
from her2core.slides.readings import SlideReading
from her2core.slides.slide import SlideError
from pages.review_parts import answer, recorded
from pages.review_parts.draft import opened
from pages.shell import exposure, session, ui


def note_shown(here: Services, slide: ShelfSlide) -> None:
    """Record that the scores of the readers are going to be shown, of a part of the slide, too."""
    exposure.mark(here, [_mark(slide)])


def draw(here: Services, slide: ShelfSlide, reading: SlideReading, shown: bool) -> None:
    """The form, or what is recorded and the way to correct it.

    Args:
        here: the services.
        slide: which.
        reading: of the whole slide.
        shown: the scores of the readers are on the page.
    """
    st.session_state.pop("just_saved", None)  # the Review page's: there is no next patch here
    if not ui.reviewer():
        st.caption("Give your name under “Reviewer” at the left to record your own score.")
        return
    core = ""
    if reading.cores:
        read = {one.region.core for one in reading.regions}
        cores = [name for name in reading.cores if name in read]
        core = st.selectbox("Core", cores, key=f"own-core-{slide.key}")
    try:
        patch = here.slides.pictures.whole(slide.path, reading, core).patch
    except SlideError as error:
        st.error(markdown_text(str(error)), icon=":material/error:")
        return
    review = _recorded(here, patch.sha256)
    draft = opened(here, patch.sha256, review)
    subject = f"core {core}" if core else "this slide"
    if review is not None and draft.correcting is None:
        with st.container(border=True, gap="xsmall"):
            recorded.heading(f"Your score of {subject}", review)
            recorded.further(review)
        recorded.correct_button(review)
        return
    st.markdown(f"**Your score of {subject}**")
    known = bool(exposure.among(here, [patch.sha256, _mark(slide)]))
    blind = ui.blind_mode() and not known
    take_in = partial(_take_in, here, slide, reading, core)
    answer.form(here, answer.Question(patch, (), not shown, blind, take_in))


def _recorded(here: Services, sha256: str) -> Review | None:
    """This person's current review."""
    wanted = ReviewFilter(reviewers=(ui.reviewer(),), text=sha256)
    found, _ = session.desk(here.store).log().everything(wanted)
    return next((one for one in found if one.patch.sha256 == sha256), None)


def _take_in(here: Services, slide: ShelfSlide, reading: SlideReading, core: str) -> None:
    """Keep the picture that the review is recorded with.

    Raises:
        ValueError: it cannot be kept; the sentence says why.
    """
    taken = here.take_in(*here.slides.pictures.whole_file(slide.path, reading, core))
    if taken.sha256 is None:
        raise ValueError(taken.message)


def _mark(slide: ShelfSlide) -> str:
    """What is noted in place of a patch when the scores of a slide are shown."""
    return hashlib.sha256(f"slide {slide.key}".encode()).hexdigest()
