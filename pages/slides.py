"""Slides: whole slides, cores and microarrays, read here; what decides their score, and where."""

import streamlit as st

from her2core.accounts.records import Permission
from her2core.common.text import markdown_text
from her2core.models.architectures import ARCHITECTURES
from her2core.scores import RESEARCH_NOTICE
from her2core.serving.services import Services
from her2core.serving.slide_shelf import ShelfSlide, SlideState
from her2core.slides.folder import SLIDE_ENDINGS
from her2core.slides.score import score_slide
from pages.shell import session, ui
from pages.slides_parts import own_review, results


def main() -> None:
    """Draw the page."""
    here = ui.services_or_stop()
    st.title("Slides", anchor=False)
    choice, upload = st.columns(2, gap="medium")
    with upload:
        _upload(here)
    slides = {slide.key: slide for slide in here.slides.listing()}
    if not slides:
        st.markdown(
            "Upload a whole slide, a core or a tissue microarray; the networks and the stain "
            "measurement read it region by region. An administrator can name a folder of slides "
            "by the setting HER2_SLIDES."
        )
        return
    keys = list(slides)
    uploaded = st.session_state.get("slide_uploaded")
    # a new field after each upload: what the browser still says of the old one counts no more
    key = choice.selectbox(
        "Slide",
        keys,
        index=keys.index(uploaded) if uploaded in slides else 0,
        format_func=lambda one: slides[one].name,
        key=f"slide-{st.session_state['slide_round']}",
    )
    chosen = slides[key]
    busy = here.slides.state(chosen).phase in ("waiting", "reading")
    st.fragment(ui.calm(_slide), run_every=2.0 if busy else None)(here, chosen)


def _upload(here: Services) -> None:
    """The upload field; a slide that was dropped is kept and read at once."""
    round_no = st.session_state.setdefault("slide_round", 0)
    file = st.file_uploader(
        "Slide, core or microarray",
        type=sorted(SLIDE_ENDINGS),
        key=f"slide-upload-{round_no}",
        help=f"Up to {here.settings.limits.max_bytes // 2**20} MiB (HER2_MAX_BYTES), as the server "
        "holds a file in memory while it is sent. Larger slides are read from its folder of slides "
        "(HER2_SLIDES), where they lie already, and so are formats of several files (MRXS, VMS).",
    )
    if file is None:
        return
    session.desk(here.store).require(Permission.TAKE_IN)
    try:
        kept = here.slides.keep(file, file.name)
    except OSError:
        st.error("The slide could not be kept; the server's disk may be full.")
        return
    here.slides.start(kept)
    st.session_state["slide_uploaded"] = kept.key
    st.session_state["slide_round"] = round_no + 1
    st.rerun()


def _slide(here: Services, slide: ShelfSlide) -> None:
    """One slide: how far it is, its scores, its map and what can be done with it."""
    state = here.slides.state(slide)
    drawn = st.session_state.get("slide_phase")
    st.session_state["slide_phase"] = (slide.key, state.phase)
    busy = state.phase in ("waiting", "reading")
    if drawn == (slide.key, "reading") and not busy:
        st.rerun(scope="app")  # the list above names it, and nothing is waited for any more
    left, right = st.columns([61, 39], gap="medium")
    with right:
        _progress(here, slide, state)
    with left:
        if state.phase != "failed":
            results.draw_slide(here, slide, state.reading, ui.blind_mode())
    reading = state.reading
    if reading is None or not reading.regions:
        return
    hidden = ui.blind_mode()
    if not hidden:
        own_review.note_shown(here, slide)
    scores = score_slide(reading, tuple(ARCHITECTURES), here.settings.stain)
    with right:
        if hidden:
            st.info(
                "Blind mode: what was read of the slide stays hidden.",
                icon=":material/visibility_off:",
            )
        else:
            results.draw_scores(
                scores if state.phase == "read" else tuple(one for one in scores if one.regions)
            )
            if state.phase == "read" and (share := reading.tissue_read) is not None:
                st.caption(
                    f"{reading.tissue_mm2:.2f} mm² of tissue, {100 * share:.0f}\u00a0% of it in "
                    f"{len(reading.regions)} regions."
                )
            for note in (*reading.notes, *results.remarks(scores)):
                st.warning(markdown_text(note), icon=":material/warning:")
        if state.phase == "read":
            own_review.draw(here, slide, reading, not hidden)
            if not hidden:
                results.offer_downloads(here, slide, reading, scores)
        st.caption(RESEARCH_NOTICE)
    if not hidden:
        results.draw_hottest(here, slide, reading, scores)


def _progress(here: Services, slide: ShelfSlide, state: SlideState) -> None:
    if state.phase in ("waiting", "reading"):
        done = len(state.reading.regions) if state.reading is not None else 0
        text = f"{done} of {state.total} regions read"
        if state.phase == "waiting":
            text = "Waits for the slide before it"
        elif not state.total:
            text = "The slide is opened and its tissue looked for…"
        elif not done:
            text = f"{state.total} regions found; the networks are loaded…"
        bar, stop = st.columns([3, 1], vertical_alignment="center")
        bar.progress(done / state.total if state.total else 0.0, text)
        if stop.button("Stop", icon=":material/stop_circle:", key="slide-stop"):
            here.slides.stop(slide)
            st.rerun(scope="app")
        return
    if state.phase == "failed":
        st.error(markdown_text(state.message), icon=":material/error:")
    label = "Read it again" if state.phase == "failed" else "Read this slide"
    if state.phase != "read" and st.button(label, icon=":material/play_arrow:", type="primary"):
        here.slides.start(slide)
        st.rerun(scope="app")


main()
