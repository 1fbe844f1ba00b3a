"""A reviewer has one current review of a patch: a second answer corrects the first, or is refused.

Whatever its square: the worklist and the assignments ask whether a patch is reviewed, not which
part of it, and a correction may move the square. Every function works inside the transaction that
appends the answer, which holds the write lock, so that of two at once the second sees the first.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.reviews import queries, validation
from her2core.reviews.errors import ReviewRefusedError
from her2core.reviews.records import ReviewDraft
from her2core.reviews.schema import PatchRow, ReviewRow


def refuse_second(session: Session, draft: ReviewDraft) -> None:
    """Refuse a first review of a patch that its reviewer has reviewed.

    The desk asks this of people. The store does not: a study that is taken over may hold two, from
    before this was asked.

    Raises:
        ReviewRefusedError: it is one; the sentence says what to do.
    """
    if draft.supersedes is not None:
        return
    patch = select(PatchRow.id).where(PatchRow.sha256 == draft.patch_sha256)
    name = validation.reviewer_name(draft.reviewer)
    current = queries.current_reviews(session, name, ReviewRow.patch_id.in_(patch))
    for number, score in current.values():
        raise ReviewRefusedError(
            f"You have already reviewed this patch ({score.label}, entry {number}). "
            "Open it in the log and save a correction."
        )


def check_supersedes(session: Session, draft: ReviewDraft, patch_id: int, reviewer_id: int) -> None:
    """Refuse to correct what cannot be: another's, another patch's, or what was corrected already.

    Raises:
        ReviewRefusedError: it cannot; the sentence says why.
    """
    if draft.supersedes is None:
        return
    earlier = session.get(ReviewRow, draft.supersedes)
    if earlier is None:
        raise ReviewRefusedError(f"Review {draft.supersedes}, to be corrected, does not exist.")
    if earlier.reviewer_id != reviewer_id:
        raise ReviewRefusedError(
            f"Review {draft.supersedes} is another reviewer's; only its author may correct it."
        )
    if earlier.patch_id != patch_id:
        raise ReviewRefusedError(f"Review {draft.supersedes} is about another patch.")
    later = session.scalar(select(ReviewRow.id).where(ReviewRow.supersedes == earlier.id))
    if later is not None:
        raise ReviewRefusedError(
            f"Review {draft.supersedes} was already corrected by review {later}; correct that one."
        )
