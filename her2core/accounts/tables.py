"""The tables of who may sign in and what they did, in the review store's database.

One backup holds everything. A person's name is the reviewer's name in the log.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from her2core.accounts.records import ROLES
from her2core.reviews.schema import Base


class AccountRow(Base):
    """A person who may sign in. Never deleted, because the log names them; disabled instead.

    `name_key` and `login` are case-folded; `login` is what an OIDC provider calls the person (an
    e-mail address or a subject), `password_hash` is Argon2id and NULL where only OIDC signs in.
    """

    __tablename__ = "account"
    __table_args__ = (CheckConstraint(f"role IN {ROLES}", name="role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    name_key: Mapped[str] = mapped_column(String(160), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    login: Mapped[str | None] = mapped_column(String(255), unique=True)
    disabled: Mapped[bool]
    created_at: Mapped[datetime]
    unlocked_at: Mapped[datetime | None]


class KnownAddressRow(Base):
    """An address from which a person signed in before; failures elsewhere do not lock it."""

    __tablename__ = "known_address"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    signed_in_at: Mapped[datetime]


class SignInFailureRow(Base):
    """One failed sign-in within the window of the rate limit; older ones are swept out.

    The name is kept as a hash only: people type passwords into the field for names. So is the
    address; it is empty where the server cannot know it.
    """

    __tablename__ = "sign_in_failure"

    id: Mapped[int] = mapped_column(primary_key=True)
    name_hash: Mapped[str] = mapped_column(String(64), index=True)
    address_hash: Mapped[str] = mapped_column(String(64), index=True, server_default="")
    failed_at: Mapped[datetime] = mapped_column(index=True)


class AuditRow(Base):
    """One thing that was done, by whom; append-only, and never with a patient's data."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    happened_at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40), index=True)
    detail: Mapped[str]
