"""The tables of who may sign in, what they did, read, were shown, and have begun to answer.

They live in the review store's database, so that one backup holds everything and one transaction
can look at answers and assignments together. A person's name is the reviewer's name in the log.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from her2core.reviews.schema import Base, UtcText


class AccountRow(Base):
    """A person who may sign in. Never deleted, because the log names them; disabled instead.

    `name_key` and `login` are case-folded; `login` is what an OIDC provider calls the person (an
    e-mail address or a subject), `password_hash` is Argon2id and NULL where only OIDC signs in.
    """

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint("role IN ('reviewer', 'adjudicator', 'administrator')", name="role"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    name_key: Mapped[str] = mapped_column(String(160), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    login: Mapped[str | None] = mapped_column(String(255), unique=True)
    disabled: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(UtcText)
    unlocked_at: Mapped[datetime | None] = mapped_column(UtcText)


class KnownAddressRow(Base):
    """An address from which a person signed in before; failures elsewhere do not lock it."""

    __tablename__ = "known_address"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    signed_in_at: Mapped[datetime] = mapped_column(UtcText)


class SignInFailureRow(Base):
    """One failed sign-in within the window of the rate limit; older ones are swept out.

    The name is kept as a hash only: people type passwords into the field for names. So is the
    address; it is empty where the server cannot know it.
    """

    __tablename__ = "sign_in_failure"

    id: Mapped[int] = mapped_column(primary_key=True)
    name_hash: Mapped[str] = mapped_column(String(64), index=True)
    address_hash: Mapped[str] = mapped_column(String(64), index=True, server_default="")
    failed_at: Mapped[datetime] = mapped_column(UtcText, index=True)


class AuditRow(Base):
    """One thing that was done, by whom; append-only, and never with a patient's data."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    happened_at: Mapped[datetime] = mapped_column(UtcText, index=True)
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40), index=True)
    detail: Mapped[str] = mapped_column(Text)


class DoubleReadRow(Base):
    """A patch given to two readers who do not see each other's answer until both are in."""

    __tablename__ = "double_read"

    id: Mapped[int] = mapped_column(primary_key=True)
    patch_id: Mapped[int] = mapped_column(ForeignKey("patch.id"), unique=True)
    blind: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(UtcText)


class AssignmentRow(Base):
    """A patch that one person is to read, alone, as one of two, or as adjudicator."""

    __tablename__ = "assignment"
    __table_args__ = (
        CheckConstraint("kind IN ('single', 'double', 'adjudication')", name="kind"),
        UniqueConstraint("patch_id", "account_id", name="uq_assignment_patch_id_account_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patch_id: Mapped[int] = mapped_column(ForeignKey("patch.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    double_read_id: Mapped[int | None] = mapped_column(ForeignKey("double_read.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    assigned_by: Mapped[str] = mapped_column(String(80))
    assigned_at: Mapped[datetime] = mapped_column(UtcText)


class ShownVerdictsRow(Base):
    """A patch whose verdicts one person's screen showed, and when for the first time; append-only.

    `reviewer` is a name as reviews are recorded under, or empty where none was given; the patch
    need not be in the store: evaluation reports show verdicts of others, too.
    """

    __tablename__ = "shown_verdicts"

    reviewer: Mapped[str] = mapped_column(String(80), primary_key=True)
    patch_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    shown_at: Mapped[datetime] = mapped_column(UtcText)


class RegisterRow(Base):
    """One line of the register, append-only and chained; see her2core.reviews.register."""

    __tablename__ = "register"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    subject: Mapped[str] = mapped_column(String(20))
    key: Mapped[str] = mapped_column(Text)
    row_hash: Mapped[str] = mapped_column(String(64))
    line_hash: Mapped[str] = mapped_column(String(64))


class UnsavedAnswerRow(Base):
    """What one person has begun to answer to a patch; written over, and gone once it is saved.

    `content` is JSON (her2core.reviews.unsaved) and may name a patient. Where `patch_sha256` is
    empty it holds where the person was when their session was ended.
    """

    __tablename__ = "unsaved_answer"

    reviewer: Mapped[str] = mapped_column(String(80), primary_key=True)
    patch_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token: Mapped[str] = mapped_column(String(64))
    content: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcText, index=True)
