"""The tables of which patch is whose to read, in the review store's database.

One transaction can look at answers and assignments together.
"""

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

import her2core.accounts.tables  # noqa: F401  assignments refer to its accounts
from her2core.reviews.schema import Base, UtcText


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
