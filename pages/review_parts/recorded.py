"""A review that is recorded: what was answered, how it compares, and the way to correct it."""

import streamlit as st

from her2core.common.text import markdown_text
from her2core.models.architectures import ARCHITECTURES, model_name
from her2core.reviews.columns import ANSWER, answer_texts
from her2core.reviews.records import Review
from pages.review_parts import navigation, stain_panel
from pages.review_parts.draft import begin_correction, draft_of
from pages.review_parts.verdicts import compared
from pages.shell import ui


def draw(review: Review, following: str | None, hidden: bool) -> None:
    """The reviewer's own record of this patch.

    Args:
        review: the current review, not superseded.
        following: sha256 of the next unreviewed patch, None when all are reviewed.
        hidden: the verdicts are still to be kept from this reader.
    """
    with st.container(border=True, gap="xsmall", key="recorded"):
        heading("Your review", review)
        if not hidden:
            lines = [_line(review, name) for name in ARCHITECTURES]
            st.markdown("  \n".join([*lines, stain_panel.compared_line(review)]))
        further(review)
    if draft_of(review.patch.sha256).begun:
        st.info(
            "You had saved a review of this patch before. What you answered now is not saved: "
            "“Correct this review” brings it back.",
            icon=":material/edit_note:",
        )
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Next patch" if following else "All patches are reviewed",
            type="primary",
            icon=":material/arrow_forward:" if following else ":material/done_all:",
            shortcut="Enter" if following else None,
            disabled=following is None,
            width="stretch",
            on_click=navigation.go_to,
            args=(following,),
        )
        correct_button(review)


def heading(words: str, review: Review) -> None:
    """The score, how sure, and when it was saved, after these words."""
    blind = " · blind" if review.blind else ""
    st.markdown(
        f"**{words}: {ui.score_text(review.own_score)}**  \n"
        f":gray[{review.confidence} confidence{blind} · "
        f"saved {review.recorded_at:%d %b %Y %H:%M} UTC]"
    )


def correct_button(review: Review) -> None:
    """The way to a correction."""
    st.button(
        "Correct this review",
        icon=":material/edit:",
        width="stretch",
        on_click=begin_correction,
        args=(review,),
        help="The entry stays in the log; your correction is added and takes its place.",
    )


def further(review: Review) -> None:
    """Every other answer, and the comment."""
    if lines := further_lines(review):
        st.markdown("  \n".join(lines))
    if review.comment:
        st.caption(markdown_text(review.comment))


def further_lines(review: Review) -> list[str]:
    """One line of Markdown for each answer beside score, confidence and comment."""
    answers = answer_texts(review)
    return [
        f"{column.title}: {markdown_text(answers[column.name])}"
        for column in ANSWER
        if column.name not in ("own_score", "confidence", "comment") and answers[column.name]
    ]


def overtaken(review: Review) -> None:
    """Above a correction in the making: what another one says that was saved meanwhile."""
    st.info(
        f"Another correction was saved meanwhile: **{ui.score_text(review.own_score)}**. Yours is "
        "not saved yet; saved now, it takes the place of that one.",
        icon=":material/difference:",
    )


def _line(review: Review, architecture: str) -> str:
    verdict = review.verdict(architecture)
    if verdict is None:
        return f":gray[No verdict by {model_name(architecture)} was recorded]"
    agrees = review.agrees.get(architecture)
    agreement = "" if agrees is None else f" :gray[· you {'agreed' if agrees else 'disagreed'}]"
    name = model_name(architecture)
    return compared(review.own_score, name, verdict.score) + agreement
