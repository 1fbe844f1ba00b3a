"""One entry of the log, opened: image, verdicts as recorded then, maps on request, corrections."""

from __future__ import annotations

import logging

import streamlit as st

from her2core.charts.verdicts import probability_figure
from her2core.common.text import cell_text, markdown_text, printable
from her2core.models.architectures import model_name
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Patch, PatchError
from her2core.reviews.columns import ANSWER, answer_texts
from her2core.reviews.records import Review
from her2core.serving.recorded_maps import OtherModelLoadedError, explain_recorded
from her2core.serving.services import Services
from her2core.xai.explanation import Explanation, Method
from her2core.xai.fidelity_report import checked_maps
from her2core.xai.methods import METHODS, RECORDED
from her2core.xai.overlay import part_line
from pages.log_parts import times
from pages.review_parts import stain_panel
from pages.review_parts.recorded import further_lines
from pages.review_parts.verdicts import agreement_line, compared
from pages.shell import charts, session, ui
from pages.viewer import layers
from pages.viewer.component import show

_log = logging.getLogger(__name__)
_METHODS = {"none": "No overlay"} | {name: METHODS[name].title for name in RECORDED}


def draw(here: Services, review: Review, name: str) -> None:
    """Everything the log holds of one review; `name` is that of its patch, as the table has it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Entry {review.id}", anchor=False, width="content")
        st.markdown(f":gray[{markdown_text(name)}]", width="stretch")
        if _is_of_slide(review):
            st.page_link(ui.SLIDES_PAGE, label="Slides", icon=":material/open_in_new:")
        else:
            st.page_link(
                ui.REVIEW_PAGE,
                label="Open on the Review page",
                icon=":material/open_in_new:",
                query_params={"patch": review.patch.sha256},
            )
    left, right = st.columns([45, 55], gap="medium")
    with right:
        _answer(review)
        if review.verdicts:
            tumour = review.assessability()
            if tumour.assessable:
                agreement_line(review.verdicts)
            else:
                st.warning(markdown_text(tumour.reason or ""), icon=":material/search_off:")
            charts.show(
                probability_figure(review.verdicts, dark=ui.is_dark()),
                "log_probabilities",
                "Probability of each score by each model",
            )
            ids = ", ".join(
                f"{v.model_id}{' (demo model)' if v.demo else ''}" for v in review.verdicts
            )
            st.caption(f"Verdicts as recorded then, by {markdown_text(ids)}.")
        elif _is_of_slide(review):
            st.caption("What the readers say of a slide stands on the Slides page, by regions.")
        else:
            st.info("No verdict was recorded with this review.")
        if not _is_of_slide(review):
            stain_panel.recorded(review)
        _history(here, review)
    with left:
        _picture(here, review)


def _is_of_slide(review: Review) -> bool:
    """Whether it is of a whole slide or core."""
    return review.patch.origin is not None and review.patch.origin.whole


def _answer(review: Review) -> None:
    blind = "blind" if review.blind else "verdicts in sight"
    st.markdown(
        f"**{markdown_text(review.reviewer)}: {ui.score_text(review.own_score)}**  \n"
        f":gray[{review.confidence} confidence · {blind} · {review.seconds:.0f} s · "
        f"recorded {times.shown(review.recorded_at)}]"
    )
    if review.superseded_by is not None:
        st.warning(f"Entry {review.superseded_by} corrects this one.", icon=":material/edit_note:")
    lines = []
    for verdict in review.verdicts:
        agrees = review.agrees.get(verdict.architecture)
        nothing = "not asked" if review.blind else "not answered"
        words = {True: "agreed", False: "disagreed", None: nothing}[agrees]
        # The comparison is written for the reviewer's own eyes elsewhere; here it is the log's.
        name = model_name(verdict.architecture)
        line = compared(review.own_score, name, verdict.score, same="the same")
        lines.append(f"{line} :gray[· {words}]")
    if review.stain is not None:
        lines.append(stain_panel.compared_line(review, same="the same"))
    lines += further_lines(review)
    if lines:
        st.markdown("  \n".join(lines))
    if review.comment:
        st.markdown(":gray[Comment]")
        st.text("\n".join(printable(line) for line in review.comment.splitlines()))


def _picture(here: Services, review: Review) -> None:
    try:
        patch = ui.load_patch(review.patch.sha256, review.patch.name).with_square(review.square)
    except (PatchError, ValueError) as error:
        st.warning(markdown_text(str(error)), icon=":material/broken_image:")
        return
    _overlays(here, patch, review)


@st.fragment
def _overlays(here: Services, patch: Patch, review: Review) -> None:
    """The image; with an overlay chosen, the maps of the recorded models over it."""
    method: Method = "none"
    if review.verdicts:
        method = st.segmented_control(
            "Overlay",
            list(_METHODS),
            default="none",
            required=True,
            format_func=_METHODS.__getitem__,
            key=f"log_overlay_{review.id}",
            label_visibility="collapsed",
        )
    ready = here.workbench.state().finished
    maps = _maps(here, patch, review, method) if method != "none" and ready else []
    over = [
        layer
        for side, (verdict, result) in enumerate(maps)
        if isinstance(result, Explanation)
        for layer in layers.of_map(
            patch, verdict.architecture, result, _title(verdict, method), side
        )
    ]
    titles = [model_name(verdict.architecture) for verdict, _ in maps]
    show("log-viewer", patch, over, titles if len(titles) == 2 else ())
    if method != "none" and not ready:
        st.info("The models are still loading. Ask again in a moment.")
    checked = checked_maps(here.settings)
    for verdict, result in maps:
        named = f"{model_name(verdict.architecture)}, {_title(verdict, method)}"
        if not isinstance(result, Explanation):
            st.info(markdown_text(result or f"{named}: the map could not be computed."))
            continue
        if warning := checked.warning(result.model_id, result.method):
            st.caption(f":orange[:material/warning:] {markdown_text(warning)}")
        words = f"{part_line(patch.square, result)} {result.reading}".strip()
        st.caption(f"**{named}.** {markdown_text(words)}")


def _title(verdict: Verdict, method: Method) -> str:
    return f"{_METHODS[method]} for {verdict.score.label}"


def _maps(
    here: Services, patch: Patch, review: Review, method: Method
) -> list[tuple[Verdict, Explanation | str]]:
    """A map of each recorded verdict; in its place why there is none, empty where it failed."""
    maps: list[tuple[Verdict, Explanation | str]] = []
    with st.spinner("Computing the maps…"):
        for verdict in review.verdicts:
            result: Explanation | str = ""
            try:
                result = explain_recorded(here.workbench, patch, verdict, method)
            except OtherModelLoadedError as error:
                result = str(error)
            except Exception:
                _log.exception("A map could not be computed")
            maps.append((verdict, result))
    return maps


def _history(here: Services, review: Review) -> None:
    chain = _corrections(here, review)
    if len(chain) < 2:
        return
    st.markdown("**Corrections**")
    st.dataframe(
        [
            {
                "Entry": entry.id,
                f"Recorded ({times.zone()})": times.shown(entry.recorded_at),
                **{column.title: cell_text(answers[column.name]) for column in ANSWER},
                "": "shown here" if entry.id == review.id else "",
            }
            for entry in chain
            for answers in [answer_texts(entry)]
        ],
        hide_index=True,
        alt="Entries which correct one another, oldest first",
    )


def _corrections(here: Services, review: Review) -> list[Review]:
    """The entries that correct one another, this one among them, oldest first."""
    chain = [review]
    numbers = {review.id}
    while (earlier := chain[0].supersedes) is not None and earlier not in numbers:
        numbers.add(earlier)
        chain.insert(0, session.desk(here.store).review(earlier))
    while (later := chain[-1].superseded_by) is not None and later not in numbers:
        numbers.add(later)
        chain.append(session.desk(here.store).review(later))
    return chain
