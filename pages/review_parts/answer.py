"""The reviewer's answer, by button or keyboard: saved durably, or kept with a reason why not.

Keys: 0 to 3 own score; A, D agree or disagree with the CNN, with Shift for DenseNet121; L, M, H
confidence; Enter saves. Streamlit leaves keys alone while a text is being typed.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import streamlit as st

from her2core.accounts.records import NotAllowedError
from her2core.common.text import markdown_text
from her2core.models.architectures import ARCHITECTURES, model_name
from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Patch
from her2core.reviews.answer import MAX_COMMENT, Confidence
from her2core.reviews.consistency import contradiction
from her2core.reviews.records import Review, ReviewDraft
from her2core.reviews.store import ReviewRefusedError, StoreError
from her2core.reviews.unsaved import Judged
from her2core.scores import LABELS_TEXT, HER2Score
from her2core.serving.services import Services
from pages.review_parts import navigation
from pages.review_parts.choices import answered, choose
from pages.review_parts.draft import comment_key, discard, draft_of, keep, warn_if_lost
from pages.shell import chrome, session, ui
from pages.shell.drafts import Draft, mark_form

_log = logging.getLogger(__name__)
_NO_NAME = "Give your name under “Reviewer” at the left, then save again."
# to agree and to disagree, by the place of the network; further ones have none
_KEYS = (("A", "D"), ("Shift+A", "Shift+D"))


@dataclass(frozen=True)
class Question:
    """What is to be answered.

    Attributes:
        patch: the patch in front, with the square the verdicts are for.
        verdicts: for that square; empty when no model could read it.
        hidden: the verdicts are, so there is nothing to agree with yet.
        blind: they never were on this reviewer's screen either, and the record says so.
        take_in: for a picture of a whole slide: enters it into the store before the answer.
    """

    patch: Patch
    verdicts: Sequence[Verdict]
    hidden: bool
    blind: bool
    take_in: Callable[[], None] | None = None

    def agrees(self, draft: Draft) -> dict[str, bool]:
        """Architecture -> whether the draft agrees with its verdict, where both can be seen."""
        return {} if self.hidden else draft.agrees(self.patch.square, self.verdicts)


@st.fragment
def form(here: Services, asked: Question) -> None:
    """The answer form; a fragment, so that a key press redraws this form alone."""
    patch, verdicts = asked.patch, asked.verdicts
    session.touch()
    if "just_saved" in st.session_state or st.session_state.pop("whole_page", False):
        st.rerun(scope="app")
    if asked.take_in is None:
        navigation.follow(patch.sha256)
    draft = draft_of(patch.sha256)
    kept = partial(keep, here, patch.sha256, draft)
    with st.container(gap="xsmall", key="answer"):
        choose(
            "Own score",
            [
                (
                    score.label,
                    str(int(score)),
                    draft.answer.own_score == score,
                    partial(_set, draft, own_score=score),
                )
                for score in HER2Score
            ],
            kept,
        )
        if not asked.hidden:
            for verdict in verdicts:
                _agreement(draft, patch, verdict, kept)
            _left_behind(draft.left_behind(patch.square, verdicts))
        choose(
            "Confidence",
            [
                (
                    level.capitalize(),
                    level[0].upper(),
                    draft.answer.confidence == level,
                    partial(_set, draft, confidence=level),
                )
                for level in get_args(Confidence)
            ],
            kept,
        )
        st.text_area(
            "Comment",
            draft.answer.comment,
            key=comment_key(draft),
            height=68,
            max_chars=MAX_COMMENT,
            placeholder="Comment (free text, optional)",
            label_visibility="collapsed",
            on_change=answered,
            args=(kept, partial(_keep_comment, draft)),
        )
        _keep_comment(draft)  # a browser that comes back after a restart calls nothing back
        kept()
        mark_form(draft)
        # at the foot of the screen where the form is longer (chrome.py), what was said of it too
        with st.container(gap="xsmall", key="save"):
            _saving(here, draft, patch.sha256, partial(_try_to_save, here, asked, draft))
            warn_if_lost(draft)
            _remarks(draft, asked)


def _saving(here: Services, draft: Draft, sha256: str, attempt: Callable[[], None]) -> None:
    """Save, and for a correction the way back."""
    # saved before anything is drawn: the reviewer waits for no form that is to go away
    st.button(
        "Save correction" if draft.correcting else "Save",
        type="primary",
        icon=":material/save:",
        shortcut="Enter",
        width="stretch",
        on_click=attempt,
    )
    if draft.correcting is not None:
        st.button(
            "Keep it as it was",
            type="tertiary",
            icon=":material/undo:",
            on_click=_give_up,
            args=(here, sha256),
            help="The recorded review stays as it is; this correction is dropped.",
        )


def _remarks(draft: Draft, asked: Question) -> None:
    """Why the last save was refused; else what the next one is going to ask about, if anything."""
    token, problem = st.session_state.get("save_problem", ("", ""))
    named = bool(ui.reviewer())
    if token == draft.token and not (named and problem == _NO_NAME):
        st.warning(markdown_text(problem), icon=":material/error:")
        if not named:
            chrome.ask_name(st.session_state.get("name_asked", 0))
    elif odd := contradiction(draft.answer.own_score, asked.agrees(draft), asked.verdicts):
        st.info(odd, icon=":material/help:")


def save(here: Services, asked: Question, draft: Draft) -> Review:
    """Record the draft; durable when it returns.

    Raises:
        ValueError: something is missing, wrong, or odd and not asked about yet; it says what.
        NotAllowedError: this person may not review this patch.
        SeenBeforeError: it cannot be recorded as blind.
        Exception: the store cannot be written to.
    """
    patch, verdicts = asked.patch, asked.verdicts
    if not ui.reviewer():
        raise ValueError(_NO_NAME)
    if draft.answer.own_score is None:
        raise ValueError(f"Choose your own score first: {LABELS_TEXT} (keys 0 to 3).")
    if draft.correcting and not draft.begun and not draft.left_behind(patch.square, verdicts):
        raise ValueError(
            "Nothing is changed yet: change your answer, or choose “Keep it as it was”."
        )
    agrees = asked.agrees(draft)
    odd = contradiction(draft.answer.own_score, agrees, verdicts)
    if odd and odd != draft.asked:
        draft.asked = odd
        raise ValueError(odd)
    if asked.take_in is not None:
        asked.take_in()
    return session.desk(here.store).save_review(
        ReviewDraft(
            **vars(draft.answer),
            patch_sha256=patch.sha256,
            square=patch.square,
            reviewer=ui.reviewer(),
            verdicts=tuple(verdicts),
            agrees={v.architecture: agrees.get(v.architecture) for v in verdicts},
            seconds=draft.time_spent(),
            blind=asked.blind,
            supersedes=draft.correcting,
            # that of a slide is measured region by region
            stain=here.stain.reading(patch) if asked.take_in is None else None,
        ),
        token=draft.token,
    )


def _try_to_save(here: Services, asked: Question, draft: Draft) -> None:
    """Save, and let the form draw the page anew; or say why not and keep the draft as it is."""
    sha256 = asked.patch.sha256
    if not ui.reviewer():
        st.session_state["name_asked"] = st.session_state.get("name_asked", 0) + 1
    st.session_state.pop("save_problem", None)
    _keep_comment(draft)
    try:
        review = save(here, asked, draft)
        # after a blind review its verdicts are worth a look, unless they are still to be hidden
        stays = review.blind and session.desk(here.store).sight(sha256).verdicts
    except (ValueError, NotAllowedError) as error:
        st.session_state["save_problem"] = (draft.token, str(error))
        # another window or server has shown the verdicts or saved a review: the page has to say so
        st.session_state["whole_page"] = isinstance(error, ReviewRefusedError)
        return
    except Exception as error:
        _log.exception("A review could not be saved")
        reason = f"{error} " if isinstance(error, StoreError) else ""
        st.session_state["save_problem"] = (
            draft.token,
            f"Not saved. {reason}Your answer is kept here; save it again in a moment.",
        )
        return
    discard(here, sha256, saved=True)
    st.session_state["just_saved"] = (sha256, stays)
    if asked.take_in is None:
        navigation.say(f"Saved: {review.own_score.label}")


def _give_up(here: Services, sha256: str) -> None:
    """Drop a correction; the whole page then shows the recorded review again."""
    _drop_problem()
    discard(here, sha256, saved=False)
    st.session_state["whole_page"] = True


def _keep_comment(draft: Draft) -> None:
    draft.change(comment=st.session_state.get(comment_key(draft), draft.answer.comment))


def _agreement(draft: Draft, patch: Patch, verdict: Verdict, kept: Callable[[], None]) -> None:
    name = verdict.architecture
    place = list(ARCHITECTURES).index(name)
    agree, disagree = _KEYS[place] if place < len(_KEYS) else (None, None)
    given = draft.agrees(patch.square, [verdict]).get(name)
    yes, no = (Judged(agrees, patch.square, verdict.model_id) for agrees in (True, False))
    choose(
        model_name(name),
        [
            ("Agree", agree, given is True, partial(_judge, draft, name, yes)),
            ("Disagree", disagree, given is False, partial(_judge, draft, name, no)),
        ],
        kept,
    )


def _left_behind(architectures: Sequence[str]) -> None:
    """That answers were about verdicts which do not stand here any more, and do not count."""
    if architectures:
        titles = " and ".join(model_name(name) for name in architectures)
        st.caption(
            f":material/history: Your answer to {titles} was about another verdict and is not "
            "counted; answer again."
        )


def _set(draft: Draft, **changed: Any) -> None:
    _drop_problem()
    draft.change(**changed)


def _judge(draft: Draft, architecture: str, judgement: Judged) -> None:
    _drop_problem()
    if draft.judged.get(architecture) == judgement:
        del draft.judged[architecture]
    else:
        draft.judged[architecture] = judgement


def _drop_problem() -> None:
    """What was wrong with the answer may not be any more; the next save tells."""
    st.session_state.pop("save_problem", None)
