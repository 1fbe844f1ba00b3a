"""The review store: append-only, hash-chained, durable. The one way to its database.

SQLite or PostgreSQL, by its URL. Every write is one transaction that takes the write lock first
(the row of `log_head`; on SQLite the whole file), so that two writers can neither lose an entry nor
fork the chain; writers of one process queue for it (`transactions`). When `save_review` has
returned, the entry survives a killed process and a power cut.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from her2core.models.verdict import Verdict
from her2core.preprocessing.patches import Square
from her2core.reviews import (
    cases,
    derived,
    log_queries,
    queries,
    register,
    stain_rows,
    validation,
    writing,
)
from her2core.reviews.chain import ChainHead, verify
from her2core.reviews.derived import patches_by
from her2core.reviews.errors import (
    ReviewNotFoundError,
    ReviewRefusedError,
    SeenBeforeError,
    StoreError,
)
from her2core.reviews.log_columns import LogColumnsKeeper
from her2core.reviews.log_watch import LogWatch
from her2core.reviews.records import PatchRecord, Review, ReviewDraft, ReviewFilter
from her2core.reviews.schema import PatchRow, ReviewerRow, ReviewRow
from her2core.reviews.showings import Showings
from her2core.reviews.study import Imported, Study, check_study
from her2core.reviews.study_rows import adopt_study, read_study
from her2core.reviews.transactions import Transactions
from her2core.reviews.unsaved import UnsavedAnswers, drop_saved
from her2core.stain.reading import StainReading

__all__ = [
    "ReviewNotFoundError",
    "ReviewRefusedError",
    "ReviewStore",
    "SeenBeforeError",
    "StoreError",
]

_log = logging.getLogger(__name__)
BUSY_SECONDS = 10.0
# the same bytes give the same probabilities within this, so a closer reading is no new one
SAME_READING = 1e-5


class ReviewStore(Transactions):
    """All reviews, patches and verdicts of one installation. Safe to share between threads.

    Every method raises StoreError where the database cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_seconds: float = BUSY_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the store; create and migrate its database where needed.

        Args:
            url: SQLAlchemy URL of the database.
            busy_seconds: how long to wait for another writer before giving up.
            clock: gives the time of recording.

        Raises:
            StoreError: it cannot be opened, or was written by a newer version.
        """
        super().__init__(url, busy_seconds)
        self._clock = clock
        for name in (derived.REVIEWS, patches_by({})):
            self.derived(name)  # of a log from before they were kept
        self.showings = Showings(self.reading, self.writing, clock)
        self.unsaved = UnsavedAnswers(self.reading, self.writing, clock)
        self.columns = LogColumnsKeeper(self.reading)
        self.watch = LogWatch(self.reading)
        self._note_end("opened")

    def close(self) -> None:
        """Let go of the database."""
        self._note_end("closed")
        super().close()

    # patches and verdicts ------------------------------------------------------------------------

    def add_patch(self, patch: PatchRecord) -> PatchRecord:
        """Record a patch; one already known by its sha256 comes back as it was first recorded.

        Raises:
            ReviewRefusedError: the record is not valid.
        """
        validation.check_patch(patch)
        with self.writing() as session:
            known = writing.find_patch(session, patch.sha256)
            if known is not None:
                return queries.to_patch(known)
            row = writing.new_patch_row(patch)
            session.add(row)
            session.flush()
            cases.note(session, patch.sha256, patch.case, patch.label)
            session.refresh(row)
            return queries.to_patch(row)

    def patch(self, sha256: str) -> PatchRecord | None:
        """The patch with this sha256, if known."""
        with self.reading() as session:
            row = writing.find_patch(session, sha256)
            return None if row is None else queries.to_patch(row)

    def patches(self) -> list[PatchRecord]:
        """All patches in order of arrival."""
        with self.reading() as session:
            rows = session.scalars(select(PatchRow).order_by(PatchRow.id))
            return [queries.to_patch(row) for row in rows]

    def record_verdicts(self, sha256: str, square: Square, verdicts: Iterable[Verdict]) -> None:
        """Record what the models said of a square; a verdict already recorded is not repeated.

        Raises:
            ReviewRefusedError: the patch is unknown, the square leaves it, or a verdict is not
                valid.
        """
        verdicts = tuple(verdicts)
        validation.check_verdicts(verdicts)
        with self.writing() as session:
            patch = writing.known_patch(session, sha256)
            validation.check_square(square, queries.to_patch(patch))
            for verdict in verdicts:
                writing.verdict_row(session, patch.id, square, verdict, SAME_READING)

    def record_stain(self, sha256: str, square: Square, stain: StainReading) -> None:
        """Record the stain reading of a square; one already recorded is not repeated.

        Raises:
            ReviewRefusedError: the patch is unknown, the square leaves it, or the reading is not
                valid.
        """
        validation.check_stain(stain)
        with self.writing() as session:
            patch = writing.known_patch(session, sha256)
            validation.check_square(square, queries.to_patch(patch))
            stain_rows.row_of(session, patch.id, square, stain_rows.facts_of(stain))

    # reviews -------------------------------------------------------------------------------------

    def save_review(
        self,
        draft: ReviewDraft,
        *,
        token: str | None = None,
        admit: Callable[[Session], None] | None = None,
    ) -> Review:
        """Append a review to the log; it is on the disk when this returns.

        Args:
            draft: the reviewer's answer.
            token: the client's own random id of this answer, e.g. a UUID made when the form was
                opened. Saving the same answer again with it returns the review already recorded,
                so that a doubled click or a retry after an error is safe.
            admit: looks, in the same transaction and before anything is appended, whether this
                answer may come in now; what it raises leaves everything as it was. It is not asked
                about an answer recorded already.

        Raises:
            ReviewRefusedError: something is missing or contradicts the log; the sentence says
                what to do.
            SeenBeforeError: it says blind, but the verdicts were shown to its reader before.
            StoreError: the database could not be written; keep the draft and try again.
        """
        validation.check_draft(draft)
        validation.check_token(token)
        with self.writing() as session:
            if token is not None:
                drop_saved(session, draft, token)
                earlier = queries.reviews_where(session, ReviewRow.token == token)
                if earlier:
                    return writing.same_answer(earlier[0], draft)
            if admit is not None:
                admit(session)
            # where the log ends is locked: no showing comes in between
            if draft.blind and self.showings.seen_in(session, draft.reviewer, [draft.patch_sha256]):
                raise SeenBeforeError(_SEEN_BEFORE)
            review_id = writing.append_review(session, draft, token, self._clock())
            saved = queries.review_with_id(session, review_id)
        self._note_end("saved")
        return saved

    def review(self, review_id: int) -> Review:
        """One review by its number.

        Raises:
            ReviewNotFoundError: the log has none with this number.
        """
        with self.reading() as session:
            return queries.review_with_id(session, review_id)

    def reviews(self, wanted: ReviewFilter | None = None) -> list[Review]:
        """The reviews that pass the filter, newest first; without one, all current reviews."""
        with self.reading() as session:
            only = log_queries.conditions(wanted or ReviewFilter())
            return log_queries.load(session, log_queries.numbers(session, *only))

    def reviewers(self) -> list[str]:
        """Names of all who have recorded a review, in alphabetical order."""
        with self.reading() as session:
            return sorted(session.scalars(select(ReviewerRow.name)), key=str.casefold)

    # the chain -----------------------------------------------------------------------------------

    def verify_chain(self) -> list[str]:
        """One sentence per changed, missing or moved entry of log and register; empty: intact."""
        with self.reading() as session:
            entries = verify(queries.chain_entries(session), queries.chain_head(session))
            return entries + register.check(session)

    def head(self) -> ChainHead | None:
        """Number and hash of the last entry; None where that record is gone."""
        with self.reading() as session:
            return queries.chain_head(session)

    def register_head(self) -> ChainHead | None:
        """Number and hash of the register's last line; None where that record is gone."""
        with self.reading() as session:
            return register.head(session)

    def has_hash(self, value: str) -> bool:
        """Whether an entry or a line with this hash, noted earlier elsewhere, is still there."""
        with self.reading() as session:
            entry = session.scalar(select(ReviewRow.id).where(ReviewRow.entry_hash == value))
            return entry is not None or register.has_line(session, value)

    # whole studies -------------------------------------------------------------------------------

    def study(self) -> Study:
        """Everything the store holds."""
        with self.reading() as session:
            return read_study(session)

    def adopt(self, study: Study) -> Imported:
        """Take over what another installation's study has in addition: all of it or nothing.

        Raises:
            StudyError: it is not intact or contradicts what is here; one sentence per line.
        """
        check_study(study)
        with self.writing() as session:
            return adopt_study(session, study)

    def _note_end(self, when: str) -> None:
        """Write into the server's log where the log ends, so that a cut shows outside of it."""
        try:
            with self.reading() as session:
                end, line = queries.chain_head(session), register.head(session)
        except StoreError:
            return  # whoever needs the database is told
        if end is not None and line is not None:
            _log.info(
                "Review log %s: entry %d, hash %s; register: line %d, hash %s",
                when, end.last_id, end.last_hash, line.last_id, line.last_hash,
            )  # fmt: skip


_SEEN_BEFORE = (
    "The verdicts of this patch were shown to you before, so this review cannot be recorded as "
    "blind. Your answer is kept; save it again, and it is recorded as not blind."
)
