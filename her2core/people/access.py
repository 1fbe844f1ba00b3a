"""The review store as one person may use it: what their role or a double read forbids is refused.

Pages go through a desk only, so that a rule holds whatever a page draws. Reading leaves out what
is not to be seen; writing raises NotAllowedError with one sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy.orm import Session

from her2core.accounts.records import Account, AuditEntry, Identity, NotAllowedError, Permission
from her2core.accounts.store import AccountStore
from her2core.people.assignments import AssignmentError, Assignments
from her2core.people.overview import Overview, free_patches, overview, unread_patches
from her2core.people.review_log import ReviewLog
from her2core.people.sight import Sight, is_theirs, sight_of, to_adjudicate
from her2core.people.worklist import Worklist
from her2core.reviews import corrections
from her2core.reviews.assignment_plan import read_plan
from her2core.reviews.derived import patches_by
from her2core.reviews.double_reads import Plan
from her2core.reviews.errors import ReviewRefusedError
from her2core.reviews.records import Review, ReviewDraft
from her2core.reviews.store import ReviewStore
from her2core.reviews.worklist import Order
from her2core.reviews.worklist_filter import EVERYTHING, WorklistFilter


class Desk:
    """One person at the review store. Cheap to make; every method may raise StoreError.

    What gives patches out, or is asked for that, raises NotAllowedError for who does not assign.
    """

    def __init__(self, store: ReviewStore, identity: Identity) -> None:
        self._store = store
        self._accounts = AccountStore(store)
        self._assignments = Assignments(store)
        self.identity = identity

    def may(self, permission: Permission) -> bool:
        """Whether this person's role allows it; for drawing, not for deciding."""
        return self.identity.may(permission)

    def require(self, permission: Permission) -> None:
        """Go on only if the person may do this, by the role the database has for them now.

        Raises:
            NotAllowedError: they may not.
        """
        now = self._accounts.current(self.identity)
        if now is None:
            raise NotAllowedError("Sign in first; if you have, your account was disabled.")
        if not now.may(permission):
            raise NotAllowedError(f"As {now.role} you may not {permission}.")

    # reading -------------------------------------------------------------------------------------

    def plan(self, patches: Collection[str] | None = None) -> Plan:
        """Who reads these patches, or all of them; empty where nobody signs in."""
        return Plan() if self.identity.way == "open" else self._assignments.plan(patches)

    def ordered(
        self,
        models: Mapping[str, str],
        order: Order = "arrival",
        *,
        blind: bool = False,
        wanted: WorklistFilter = EVERYTHING,
    ) -> Worklist:
        """The patches that are this person's to read, to be asked for a screenful at a time."""
        return Worklist(self._store, self.identity, models, order, blind=blind, wanted=wanted)

    def any_given(self) -> bool:
        """Whether any patch was given to somebody."""
        return self.identity.way != "open" and self._assignments.any()

    def sight(self, sha256: str, plan: Plan | None = None) -> Sight:
        """What this person may see of the patch; pass the plan to ask for many patches."""
        return sight_of(self.identity, self.plan([sha256]) if plan is None else plan, sha256)

    def review(self, review_id: int) -> Review:
        """One review by its number.

        Raises:
            ReviewNotFoundError: the log has none with this number.
            NotAllowedError: it belongs to a double read that is not finished, and to another.
        """
        review = self._store.review(review_id)
        if review.reviewer != self.identity.name and self.plan([review.patch.sha256]).is_sealed(
            review.patch.sha256
        ):
            raise NotAllowedError(_SEALED)
        return review

    def log(self, *, blind: bool = False, seen: Collection[str] = ()) -> ReviewLog:
        """The log as this person may see it; see there."""
        return ReviewLog(self._store, self.identity, blind=blind, seen=seen)

    def known(self, patches: Collection[str]) -> frozenset[str]:
        """Those of the patches that a blind reader knows: reviewed by them, or shown to them."""
        return self._store.showings.reviewed(self.identity.name, patches) | self.seen(patches)

    def reviewed_unseen(self) -> frozenset[str]:
        """The patches that this person has reviewed and was never shown the verdicts of."""
        return self._store.showings.reviewed_unseen(self.identity.name)

    def note_figures(self, last_review_id: int, *, insist: bool) -> None:
        """Record that this person is going to be shown figures over the log up to this entry.

        Args:
            last_review_id: of the last entry.
            insist: as for `note_shown`.

        Raises:
            StoreError: it could not be recorded, and this was insisted on.
        """
        self._store.showings.record_figures(self.identity.name, last_review_id, insist=insist)

    def audit(self, limit: int = 500, action: str = "", about: str = "") -> list[AuditEntry]:
        """The last entries, newest first: all, or of one action whose detail begins with `about`.

        Raises:
            NotAllowedError: this person may not see them.
        """
        self.require(Permission.SEE_AUDIT)
        return self._accounts.audit(limit, action, about)

    def seen(self, patches: Iterable[str]) -> frozenset[str]:
        """Those whose verdicts this person was shown before, by whatever server of this database.

        Shown to somebody who had not given a name counts, too: it may have been this person.
        """
        return self._store.showings.seen(self.identity.name, patches)

    # writing -------------------------------------------------------------------------------------

    def note_shown(self, patches: Iterable[str], *, insist: bool) -> None:
        """Record that this person is going to be shown the verdicts; call it before they are drawn.

        Args:
            patches: sha256 of the patches.
            insist: whether they must not be shown unless this is recorded, as for who reads blind.
                Otherwise the server keeps what the database does not take and writes it later.

        Raises:
            StoreError: it could not be recorded, and this was insisted on.
        """
        self._store.showings.record(self.identity.name, patches, insist=insist)

    def save_review(self, draft: ReviewDraft, *, token: str | None = None) -> Review:
        """Append this person's review to the log; it is on the disk when this returns.

        The answer of an adjudicator to a disagreement is recorded as its adjudication. A second
        answer to a patch, whatever its square, is taken as a correction only: two tabs would leave
        two answers that both count.

        Raises:
            NotAllowedError: the patch was given to others, or the role does not review, or does
                not adjudicate where the answer would.
            ReviewRefusedError: something is missing or contradicts the log.
            SeenBeforeError: it says blind, but the verdicts were shown to this person before.
        """
        self.require(Permission.REVIEW)
        if draft.reviewer != self.identity.name:
            raise NotAllowedError("A review can only be recorded under your own name.")
        # who may answer is decided where the answer is appended: nothing can come in between
        return self._store.save_review(
            draft, token=token, admit=lambda session: self._admit(session, draft)
        )

    def note_export(self, what: str, entries: int) -> None:
        """Put an export into the audit, before the file is handed out.

        Raises:
            NotAllowedError: this person may not export.
        """
        self.require(Permission.EXPORT)
        self._accounts.note(self.identity.name, "exported", f"{entries} entries as {what}")

    def note(self, action: str, detail: str) -> None:
        """Put something this person did into the audit; neither file names nor comments."""
        self._accounts.note(self.identity.name, action, detail)

    # giving patches out --------------------------------------------------------------------------

    def overview(self) -> Overview:
        """How far everybody is with what was given out."""
        self.require(Permission.ASSIGN)
        number = self._store.derived(patches_by({}))
        with self._store.reading() as session:
            return overview(session, number)

    def to_give_out(self) -> dict[str, str]:
        """sha256 -> name of the patches that were given to nobody, by arrival."""
        self.require(Permission.ASSIGN)
        number = self._store.derived(patches_by({}))
        with self._store.reading() as session:
            return free_patches(session, number)

    def to_take_back(self, name: str, limit: int | None = None) -> dict[str, str]:
        """sha256 -> name of what was given to this reader alone and is not read yet."""
        self.require(Permission.ASSIGN)
        with self._store.reading() as session:
            return unread_patches(session, name, limit)

    def people(self) -> list[Account]:
        """Who can be given patches: all accounts that may sign in."""
        self.require(Permission.ASSIGN)
        return [account for account in self._accounts.accounts() if not account.disabled]

    def assign(self, patches: Sequence[str], name: str) -> int:
        """Give patches to one reader; returns how many were newly given.

        Raises:
            AssignmentError: it cannot be done; the sentence says why.
        """
        self.require(Permission.ASSIGN)
        return self._assignments.assign(patches, name, by=self.identity.name)

    def assign_double(self, patches: Sequence[str], names: Sequence[str], *, blind: bool) -> int:
        """Give patches to two readers; returns how many double reads were made.

        Raises:
            AssignmentError: it cannot be done; the sentence says why.
        """
        self.require(Permission.ASSIGN)
        return self._assignments.assign_double(patches, names, blind=blind, by=self.identity.name)

    def withdraw(self, patches: Sequence[str], name: str) -> int:
        """Take back what was not read yet; returns how many.

        Raises:
            AssignmentError: no patch was named.
        """
        self.require(Permission.ASSIGN)
        return self._assignments.withdraw(patches, name, by=self.identity.name)

    # ---------------------------------------------------------------------------------------------

    def _admit(self, session: Session, draft: ReviewDraft) -> None:
        """Let an answer in, and make the person the adjudicator where it is a decision."""
        sha256, name = draft.patch_sha256, self.identity.name
        plan = Plan() if self.identity.way == "open" else read_plan(session, [sha256])
        if plan.kind(sha256, name) == "adjudication" or to_adjudicate(self.identity, plan, sha256):
            try:
                self._assignments.claim(session, sha256, name)
            except AssignmentError as error:
                raise NotAllowedError(str(error)) from None
        elif not is_theirs(self.identity, plan, sha256):
            raise NotAllowedError("This patch was given to other readers.")
        hidden = not sight_of(self.identity, plan, sha256).verdicts
        if hidden and any(answer is not None for answer in draft.agrees.values()):
            raise ReviewRefusedError(
                "In a blind double read you cannot agree or disagree with verdicts yet."
            )
        corrections.refuse_second(session, draft)


_SEALED = "This entry belongs to a double read; it is shown when both answers are in."
