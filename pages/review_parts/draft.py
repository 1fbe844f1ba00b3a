"""The reviewer's unsaved answer to a patch: kept per patch in a session, and beyond it.

The database holds what is begun under a name, so that a lost session, a restart of the server or
another browser brings it back. Without a name, or without the database, the session alone does.
"""

import logging
import time
from dataclasses import replace

import streamlit as st

from her2core.reviews.answer import FIELDS, answer_of
from her2core.reviews.records import Review
from her2core.reviews.store import StoreError
from her2core.reviews.unsaved import Judged, UnsavedAnswer
from her2core.serving.services import Services
from pages.shell import ui
from pages.shell.drafts import Draft, all_drafts, new_token, stop_clocks

_log = logging.getLogger(__name__)
# a database that is away is not waited for at each key press
_NEXT_TRY_SECONDS = 15.0
_TRIED = "unsaved_tried"  # monotonic time at which an answer could last not be kept


def draft_of(sha256: str) -> Draft:
    """The draft for this patch by the present reviewer; begun when there is none.

    What was answered before the name was given goes to the first name given.
    """
    drafts = all_drafts()
    key = (ui.reviewer(), sha256)
    if key not in drafts:
        drafts[key] = drafts.pop(("", sha256)) if ("", sha256) in drafts else Draft()
    return drafts[key]


def opened(here: Services, sha256: str, review: Review | None) -> Draft:
    """The draft of the patch now in front: its clock runs, and no other one.

    What was begun elsewhere, or before this session, is taken up: as it is where this session
    holds nothing newer, else beside it.

    Args:
        here: the services.
        sha256: of the patch.
        review: the current one of this patch and reviewer.

    Raises:
        StoreError: the database does not answer.
    """
    current = draft_of(sha256)
    elsewhere = here.store.unsaved.find(ui.reviewer(), sha256)
    if elsewhere == current.kept:
        pass
    elif elsewhere is None:
        current.kept = None
        if review is not None and _is_recorded(current, review):
            current = Draft()  # saved in another window
    elif current.to_keep is None or not current.lost:
        current = _taken_up(elsewhere, review, current)
    elif current.kept is None:
        _complete(current, elsewhere)
    all_drafts()[ui.reviewer(), sha256] = current
    stop_clocks()
    current.opened = time.monotonic()
    _follow(current, review)
    return current


def keep(here: Services, sha256: str, draft: Draft) -> None:
    """Let the database hold the answer as it is now; nothing is written where it does.

    To be called when something is answered and when the form is drawn: it is tried again after a
    while where the database was away.
    """
    answer = draft.to_keep
    if answer == draft.kept:
        return
    if time.monotonic() - st.session_state.get(_TRIED, -_NEXT_TRY_SECONDS) < _NEXT_TRY_SECONDS:
        return
    try:
        if answer is None:
            here.store.unsaved.drop(ui.reviewer(), sha256)
            draft.kept = None
        elif here.store.unsaved.keep(ui.reviewer(), sha256, answer):
            draft.kept = answer
        st.session_state.pop(_TRIED, None)
    except StoreError:
        _log.exception("An answer begun could not be kept")
        st.session_state[_TRIED] = time.monotonic()


def warn_if_lost(draft: Draft) -> None:
    """Say where an answer begun lies in this window only."""
    if not draft.lost:
        return
    if not ui.reviewer():
        st.caption(
            ":material/edit_note: Without your name this answer is kept in this window only; give "
            "it under “Reviewer” at the left."
        )
        return
    st.caption(
        ":material/cloud_off: What you answer here cannot be put by just now and is kept in this "
        "window only. Do not reload it before you have saved."
    )


def discard(here: Services, sha256: str, *, saved: bool) -> None:
    """Forget the draft: it is given up, or saved, with which the database has forgotten it."""
    draft = all_drafts().pop((ui.reviewer(), sha256), None)
    if draft is None or draft.kept is None or (saved and draft.kept == draft.to_keep):
        return
    try:
        here.store.unsaved.drop(ui.reviewer(), sha256)
    except StoreError:
        _log.exception("An answer begun could not be forgotten")


def comment_key(draft: Draft) -> str:
    """Of the field for the comment.

    The same for the same answer in another session: a browser that comes back to a server that was
    started anew keeps what was typed meanwhile.
    """
    return f"comment-{draft.token}"


def begin_correction(review: Review) -> None:
    """A draft that is going to supersede a recorded review.

    It starts from what was answered here and refused, because another tab had saved a review
    first; where nothing was, from the recorded review.
    """
    key = (ui.reviewer(), review.patch.sha256)
    refused = all_drafts().get(key)
    if refused is not None and refused.begun:
        _correct(refused, review)
        return
    correction = _of(review)
    correction.before = correction.content
    all_drafts()[key] = correction


def _taken_up(answer: UnsavedAnswer, review: Review | None, before: Draft) -> Draft:
    """The draft that another session had begun, in the place of what this one held before."""
    if answer.token == before.token:
        st.session_state[comment_key(before)] = answer.comment
    same = review is not None and answer.from_review and answer.correcting == review.id
    return Draft(
        token=answer.token,
        answer=answer_of(answer),
        judged=dict(answer.judged),
        square=answer.square,
        correcting=answer.correcting,
        overtaken=answer.overtaken,
        before=_of(review).content if same and review is not None else None,
        seconds=answer.seconds,
        kept=answer,
    )


def _complete(draft: Draft, earlier: UnsavedAnswer) -> None:
    """Add to what was answered without a name what had been begun under the name given then."""
    open_fields = [name for name in FIELDS if getattr(draft.answer, name) is None]
    draft.change(**{name: getattr(earlier, name) for name in open_fields})
    draft.judged = {**earlier.judged, **draft.judged}
    draft.square = draft.square or earlier.square
    typed = draft.answer.comment
    if earlier.comment.strip() and earlier.comment not in typed:
        draft.change(comment="\n".join(filter(None, (earlier.comment, typed))))
        st.session_state[comment_key(draft)] = draft.answer.comment


def _is_recorded(draft: Draft, review: Review) -> bool:
    """Whether the review says what the draft does."""
    square = draft.square or review.square
    return replace(draft, square=square).content == _of(review).content


def _follow(draft: Draft, review: Review | None) -> None:
    """Let a correction whose review another correction has replaced correct that one instead.

    Another tab may have saved it. Without this the draft could never be saved: only the current
    review of a patch can be corrected.

    Args:
        draft: of the patch in front.
        review: the current one of this patch and reviewer.
    """
    if review is None or draft.correcting in (None, review.id):
        return
    _correct(draft, review)
    draft.overtaken = True


def _correct(draft: Draft, review: Review) -> None:
    """Let the draft supersede this review: another save, so with another token.

    What it started from was another review: even an answer that nobody touched differs from this.
    """
    draft.asked = ""
    draft.before = None
    draft.correcting = review.id
    draft.token = new_token()


def _of(review: Review) -> Draft:
    """A draft that says what the review does."""
    return Draft(
        answer=answer_of(review),
        judged={
            verdict.architecture: Judged(agrees, review.square, verdict.model_id)
            for verdict in review.verdicts
            if (agrees := review.agrees.get(verdict.architecture)) is not None
        },
        square=review.square,
        correcting=review.id,
    )
