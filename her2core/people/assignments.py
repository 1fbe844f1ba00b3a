"""Which patch is whose to read: single assignments, double reads and their adjudication.

Rules: a patch that was given to somebody is read by them alone; one that was given to nobody is
everybody's. Who has already recorded a review of a patch cannot become its blinded reader.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from her2core.accounts.records import Permission
from her2core.accounts.rows import account_of, account_row, add_audit, known_row
from her2core.accounts.tables import AccountRow
from her2core.reviews.assignment_plan import AssignmentRow, DoubleReadRow, read_plan, reviewed
from her2core.reviews.derived import touch
from her2core.reviews.double_reads import DoubleRead, Kind, Plan
from her2core.reviews.schema import PatchRow, ReviewerRow, ReviewRow
from her2core.reviews.store import ReviewStore

READERS = 2


class AssignmentError(ValueError):
    """A patch cannot be given to somebody; str(error) is one calm sentence."""


class Assignments:
    """Gives patches to people. Safe to share between threads; every method may raise StoreError."""

    def __init__(
        self, store: ReviewStore, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Use the database of this review store; `clock` gives the time, in UTC."""
        self._store = store
        self._clock = clock

    def plan(self, patches: Collection[str] | None = None) -> Plan:
        """Assignments and how far they are: of these patches, or all."""
        with self._store.reading() as session:
            return read_plan(session, patches)

    def any(self) -> bool:
        """Whether there is an assignment."""
        with self._store.reading() as session:
            return session.scalar(select(AssignmentRow.id).limit(1)) is not None

    def assign(self, patches: Iterable[str], name: str, *, by: str) -> int:
        """Give patches to one reader; those given to them before are passed over.

        Returns:
            How many were newly given.

        Raises:
            AssignmentError: a patch is in a double read or unknown, or the reader may not read.
        """
        with self._store.writing() as session:
            reader = _reader(session, name)
            number = 0
            for patch in _patches(session, patches):
                if _double_read(session, patch.id) is not None:
                    raise AssignmentError(
                        "A patch of a double read has its two readers already; leave it out."
                    )
                number += self._give(session, patch, reader, "single", None, by)
            add_audit(session, self._clock(), by, "assigned", f"{_count(number)} to {reader.name}")
        return number

    def assign_double(
        self, patches: Iterable[str], names: Sequence[str], *, blind: bool = True, by: str
    ) -> int:
        """Give patches to two readers who are not to see each other's answer.

        Returns:
            How many double reads were made.

        Raises:
            AssignmentError: not two different readers, or one may not read; a patch is unknown or
                given away already, or one of the readers has reviewed it before.
        """
        with self._store.writing() as session:
            readers = [_reader(session, name) for name in names]
            if len({reader.id for reader in readers}) != READERS or len(readers) != READERS:
                raise AssignmentError("A double read needs two different readers.")
            chosen = _patches(session, patches)
            for patch in chosen:
                _refuse_known(session, patch, readers)
                made = DoubleReadRow(patch_id=patch.id, blind=blind, created_at=self._clock())
                session.add(made)
                session.flush()
                for reader in readers:
                    self._give(session, patch, reader, "double", made.id, by)
            who = " and ".join(reader.name for reader in readers)
            sight = "blind" if blind else "verdicts in sight"
            add_audit(
                session,
                self._clock(),
                by,
                "assigned double",
                f"{_count(len(chosen))} to {who}, {sight}",
            )
        return len(chosen)

    def withdraw(self, patches: Iterable[str], name: str, *, by: str) -> int:
        """Take single assignments back that were not read yet; others stay.

        Returns:
            How many were taken back.
        """
        with self._store.writing() as session:
            reader = known_row(session, name)
            chosen = _patches(session, patches)
            among = PatchRow.id.in_([patch.id for patch in chosen])
            answered = {patch for who, patch in reviewed(session, among) if who == reader.name}
            ids = [patch.id for patch in chosen if patch.sha256 not in answered]
            touch(session, ids)
            rows = session.execute(
                delete(AssignmentRow)
                .where(
                    AssignmentRow.account_id == reader.id,
                    AssignmentRow.kind == "single",
                    AssignmentRow.patch_id.in_(ids),
                )
                .returning(AssignmentRow.id)
            ).all()
            taken = f"{_count(len(rows))} from {reader.name}"
            add_audit(session, self._clock(), by, "withdrawn", taken)
        return len(rows)

    def claim(self, session: Session, sha256: str, name: str) -> None:
        """Become the adjudicator of a disagreement; the same person may claim again.

        A part of the transaction that records the answer: a claim by itself decides nothing, and
        between claim and answer another could come.

        Args:
            session: of that transaction, which holds the write lock.
            sha256: of the patch.
            name: of the adjudicator.

        Raises:
            AssignmentError: this person may not adjudicate, is one of the readers, there is no
                disagreement, or it is decided.
        """
        third = _reader(session, name)
        if not account_of(third).identity("account").may(Permission.ADJUDICATE):
            raise AssignmentError(f"As {third.role} you may not {Permission.ADJUDICATE}.")
        plan = read_plan(session, [sha256])
        read = plan.double_reads.get(sha256)
        if read is None or read.sealed or read.stage == "agreed":
            raise AssignmentError("There is no disagreement to adjudicate on this patch.")
        if third.name in read.readers or (third.name, sha256) in plan.reviewed - _by(read):
            raise AssignmentError("Who has read a patch cannot adjudicate it.")
        if read.adjudicator == third.name:
            return
        if read.decision is not None:
            raise AssignmentError(f"{read.adjudicator} has adjudicated this patch already.")
        (patch,) = _patches(session, [sha256])
        # a claim left by itself (versions before claimed first and answered then) is no lock
        session.execute(
            delete(AssignmentRow).where(
                AssignmentRow.patch_id == patch.id, AssignmentRow.kind == "adjudication"
            )
        )
        touch(session, [patch.id])
        double_read = _double_read(session, patch.id)
        assert double_read is not None
        self._give(session, patch, third, "adjudication", double_read.id, third.name)
        add_audit(session, self._clock(), third.name, "adjudicates", f"patch {sha256[:12]}")

    def _give(
        self,
        session: Session,
        patch: PatchRow,
        reader: AccountRow,
        kind: Kind,
        double_read: int | None,
        by: str,
    ) -> bool:
        known = select(AssignmentRow.id).where(
            AssignmentRow.patch_id == patch.id, AssignmentRow.account_id == reader.id
        )
        if session.scalar(known) is not None:
            return False
        session.add(
            AssignmentRow(
                patch_id=patch.id,
                account_id=reader.id,
                double_read_id=double_read,
                kind=kind,
                assigned_by=by[:80],
                assigned_at=self._clock(),
            )
        )
        session.flush()
        return True


def _by(read: DoubleRead) -> frozenset[tuple[str, str]]:
    """The adjudicator's own answer, which does not bar them from answering again."""
    return frozenset({(read.adjudicator, read.sha256)}) if read.adjudicator else frozenset()


def _refuse_known(session: Session, patch: PatchRow, readers: Sequence[AccountRow]) -> None:
    taken = session.scalar(select(AssignmentRow.id).where(AssignmentRow.patch_id == patch.id))
    if taken is not None or _double_read(session, patch.id) is not None:
        raise AssignmentError(
            "A patch given to somebody already cannot become a double read; leave it out."
        )
    by = set(
        session.scalars(
            select(ReviewerRow.name)
            .join(ReviewRow, ReviewRow.reviewer_id == ReviewerRow.id)
            .where(ReviewRow.patch_id == patch.id)
        )
    )
    for reader in readers:
        if reader.name in by:
            raise AssignmentError(
                f"{reader.name} has reviewed one of these patches before and cannot be its "
                "blinded reader; leave it out or take another reader."
            )


def _double_read(session: Session, patch_id: int) -> DoubleReadRow | None:
    return session.scalar(select(DoubleReadRow).where(DoubleReadRow.patch_id == patch_id))


def _patches(session: Session, keys: Iterable[str]) -> list[PatchRow]:
    wanted = list(dict.fromkeys(keys))
    if not wanted:
        raise AssignmentError("Choose at least one patch.")
    rows = {
        row.sha256: row
        for key in wanted
        for row in session.scalars(select(PatchRow).where(PatchRow.sha256 == key))
    }
    if len(rows) < len(wanted):
        raise AssignmentError("One of the patches is not known here; reload the page.")
    return [rows[key] for key in wanted]


def _count(number: int) -> str:
    return "1 patch" if number == 1 else f"{number} patches"


def _reader(session: Session, name: str) -> AccountRow:
    """Every role may read; a disabled account may not.

    Raises:
        AssignmentError: there is none, or it is disabled.
    """
    row = account_row(session, name)
    if row is None or row.disabled:
        raise AssignmentError(f"{name} has no account that may sign in.")
    return row
