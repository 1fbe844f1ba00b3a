"""The reviewer's unsaved answer to a patch: kept per patch while moving around in a session."""

from __future__ import annotations

import time

from her2core.reviews.records import Review
from pages.shell import ui
from pages.shell.drafts import Draft, Judged, all_drafts, new_token, stop_clocks


def draft_of(sha256: str) -> Draft:
    """The draft for this patch by the present reviewer; begun when there is none.

    What was answered before the name was given goes to the first name given.
    """
    drafts = all_drafts()
    key = (ui.reviewer(), sha256)
    if key not in drafts:
        nameless = ("", sha256)
        drafts[key] = drafts.pop(nameless) if nameless in drafts else Draft()
    return drafts[key]


def opened(sha256: str) -> Draft:
    """The draft of the patch now in front: its clock runs, and no other one."""
    current = draft_of(sha256)
    stop_clocks()
    current.opened = time.monotonic()
    return current


def discard(sha256: str) -> None:
    """Forget the draft, because it is recorded or given up."""
    all_drafts().pop((ui.reviewer(), sha256), None)


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
    correction = Draft(
        score=review.own_score,
        judged=_judged(review),
        confidence=review.confidence,
        comment=review.comment,
        square=review.square,
        correcting=review.id,
    )
    correction.before = correction.answer
    all_drafts()[key] = correction


def follow(draft: Draft, review: Review | None) -> None:
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


def _judged(review: Review) -> dict[str, Judged]:
    return {
        verdict.architecture: Judged(said, (review.square, verdict.model_id))
        for verdict in review.verdicts
        if (said := review.agrees.get(verdict.architecture)) is not None
    }
