"""The tables of the review store as SQLAlchemy mappings; valid on SQLite and PostgreSQL.

Changes go through a new file in migrations/versions; a test compares both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import (
    Composite,
    DeclarativeBase,
    Mapped,
    composite,
    mapped_column,
    relationship,
)
from sqlalchemy.types import TypeDecorator

from her2core.preprocessing.patches import Square
from her2core.stain.reading import Counts

HEAD_ID = 1


def utc_text(moment: datetime) -> str:
    """The moment as 32 characters of ISO 8601 in UTC, which sort like the time does.

    A moment without a zone is taken to be UTC already.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


class UtcText(TypeDecorator[datetime]):
    """A time kept as the exact text that is hashed, so that no driver can round or shift it."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Python to database."""
        return None if value is None else utc_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Database to Python."""
        return None if value is None else datetime.fromisoformat(value)


class Base(DeclarativeBase):
    """Names every constraint, so that later migrations can address it on any database."""

    type_annotation_map: ClassVar = {datetime: UtcText, float: Double, str: Text}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _square() -> Composite[Square]:
    """Three columns that are one square of a patch, in pixels."""
    names = ("square_x", "square_y", "square_size")
    return composite(Square, *(mapped_column(name, Integer) for name in names))


class ReviewerRow(Base):
    """A person who has recorded at least one review."""

    __tablename__ = "reviewer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)


class PatchRow(Base):
    """An uploaded image, known by the sha256 of its bytes; ids follow the order of arrival."""

    __tablename__ = "patch"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    received_at: Mapped[datetime]
    warnings: Mapped[list[str]] = mapped_column(JSON)
    origin: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    case: Mapped[PatchCaseRow | None] = relationship(lazy="joined", viewonly=True)


class PatchCaseRow(Base):
    """Slide or case of a patch, and its label, as a table beside it told them; what is known stays.

    `name` is empty where only the label is known.
    """

    __tablename__ = "patch_case"
    __table_args__ = (CheckConstraint("label BETWEEN 0 AND 3", name="label"),)

    patch_id: Mapped[int] = mapped_column(
        ForeignKey("patch.id"), primary_key=True, autoincrement=False
    )
    name: Mapped[str]
    label: Mapped[int | None]


class VerdictRow(Base):
    """One reading of one square by one model; append-only.

    `reading` counts up where the same model gave other probabilities for the same square, e.g.
    after its temperature was fitted anew: what an earlier reviewer saw stays.
    """

    __tablename__ = "verdict"
    __table_args__ = (
        UniqueConstraint(
            "patch_id", "square_x", "square_y", "square_size", "model_id", "reading",
            name="uq_verdict_reading",
        ),
        CheckConstraint("square_size > 0", name="square_size"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    patch_id: Mapped[int] = mapped_column(ForeignKey("patch.id"))
    square: Mapped[Square] = _square()
    architecture: Mapped[str] = mapped_column(String(40))
    model_id: Mapped[str] = mapped_column(String(200))
    reading: Mapped[int]
    p_0: Mapped[float]
    p_1plus: Mapped[float]
    p_2plus: Mapped[float]
    p_3plus: Mapped[float]
    demo: Mapped[bool]
    novelty: Mapped[float | None]
    backend: Mapped[str | None] = mapped_column(String(80))

    @property
    def probabilities(self) -> tuple[float, float, float, float]:
        """Of the four scores, in clinical order."""
        return self.p_0, self.p_1plus, self.p_2plus, self.p_3plus

    @probabilities.setter
    def probabilities(self, values: tuple[float, float, float, float]) -> None:
        self.p_0, self.p_1plus, self.p_2plus, self.p_3plus = values


class StainReadingRow(Base):
    """One stain measurement of one square; append-only.

    `reading` counts up where the same method gave other figures for the same square.
    """

    __tablename__ = "stain_reading"
    __table_args__ = (
        UniqueConstraint(
            "patch_id", "square_x", "square_y", "square_size", "method", "reading",
            name="uq_stain_reading_reading",
        ),
        CheckConstraint("square_size > 0", name="square_size"),
        CheckConstraint("score BETWEEN 0 AND 3", name="score"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    patch_id: Mapped[int] = mapped_column(ForeignKey("patch.id"))
    square: Mapped[Square] = _square()
    method: Mapped[str] = mapped_column(String(200))
    reading: Mapped[int]
    score: Mapped[int | None]
    reason: Mapped[str | None]
    ultralow: Mapped[bool]
    cells_none: Mapped[int]
    cells_faint: Mapped[int]
    cells_moderate: Mapped[int]
    cells_intense: Mapped[int]
    completeness: Mapped[float | None]
    intensity: Mapped[float | None]
    um_per_pixel: Mapped[float | None]

    @property
    def counts(self) -> Counts:
        """Cells of the four patterns, from none to intense."""
        return self.cells_none, self.cells_faint, self.cells_moderate, self.cells_intense

    @counts.setter
    def counts(self, values: Counts) -> None:
        self.cells_none, self.cells_faint, self.cells_moderate, self.cells_intense = values


class ReviewRow(Base):
    """One entry of the review log; append-only, hash-chained.

    Ids are given by the store, 1, 2, 3 ... without gaps, so that a missing entry shows. `token` is
    the client's own number of the answer: a doubled click is recorded once.
    """

    __tablename__ = "review"
    __table_args__ = (
        CheckConstraint("own_score BETWEEN 0 AND 3", name="own_score"),
        CheckConstraint("confidence IN ('low', 'medium', 'high')", name="confidence"),
        CheckConstraint("seconds >= 0", name="seconds"),
        CheckConstraint("square_size > 0", name="square_size"),
        Index("ix_review_reviewer_id_patch_id", "reviewer_id", "patch_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token: Mapped[str | None] = mapped_column(String(64), unique=True)
    patch_id: Mapped[int] = mapped_column(ForeignKey("patch.id"), index=True)
    square: Mapped[Square] = _square()
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("reviewer.id"))
    own_score: Mapped[int]
    confidence: Mapped[str] = mapped_column(String(10))
    comment: Mapped[str]
    seconds: Mapped[float]
    blind: Mapped[bool]
    supersedes: Mapped[int | None] = mapped_column(ForeignKey("review.id"), unique=True)
    recorded_at: Mapped[datetime] = mapped_column(index=True)
    previous_hash: Mapped[str] = mapped_column(String(64))
    entry_hash: Mapped[str] = mapped_column(String(64), unique=True)


class ReviewVerdictRow(Base):
    """A verdict that belonged to a review, and the answer to it (NULL: not answered)."""

    __tablename__ = "review_verdict"

    review_id: Mapped[int] = mapped_column(ForeignKey("review.id"), primary_key=True)
    verdict_id: Mapped[int] = mapped_column(ForeignKey("verdict.id"), primary_key=True)
    agrees: Mapped[bool | None]


class ReviewStainRow(Base):
    """The stain reading that belonged to a review, one at most."""

    __tablename__ = "review_stain"

    review_id: Mapped[int] = mapped_column(ForeignKey("review.id"), primary_key=True)
    stain_reading_id: Mapped[int] = mapped_column(ForeignKey("stain_reading.id"))


class LogHeadRow(Base):
    """The single row that says where the log ends, and where the register does.

    It shows what was cut off at the end, and on PostgreSQL it is the row writers queue up for.
    """

    __tablename__ = "log_head"
    __table_args__ = (CheckConstraint(f"id = {HEAD_ID}", name="single_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_id: Mapped[int]
    last_hash: Mapped[str] = mapped_column(String(64))
    register_id: Mapped[int] = mapped_column(server_default="0")
    register_hash: Mapped[str] = mapped_column(String(64), server_default="0" * 64)


class RegisterRow(Base):
    """One line of the register, append-only and chained; see her2core.reviews.register."""

    __tablename__ = "register"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    subject: Mapped[str] = mapped_column(String(20))
    key: Mapped[str]
    row_hash: Mapped[str] = mapped_column(String(64))
    line_hash: Mapped[str] = mapped_column(String(64))
