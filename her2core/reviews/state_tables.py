"""Tables of what is computed from the log and kept beside it, so that no page reads all of it.

Nothing rests on them: `derived` fills them, in the transaction that changes what they follow from,
and `python -m her2core.reviews rebuild` makes them anew.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Double, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from her2core.reviews.schema import Base, UtcText

# compared character by character on both databases, as Python compares
_PLAIN = Text().with_variant(Text(collation="C"), "postgresql")
_PLAIN_SHA256 = String(64).with_variant(String(64, collation="C"), "postgresql")


class DerivedRow(Base):
    """One kind of derived rows, and up to which id they were filled in.

    `name` says which: see `derived`. `filled_to` is the last patch or review that was looked at;
    a filling that was interrupted goes on from there.
    """

    __tablename__ = "derived"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    filled_to: Mapped[int] = mapped_column(Integer)
    complete: Mapped[bool] = mapped_column(Boolean)


class PatchStateRow(Base):
    """A patch as the worklist orders, filters and counts it, for one choice of models.

    Attributes:
        derived_id: of the choice of models.
        name_key, look: see `worklist.name_key` and `patch_names.look`.
        search: name and sha256, casefolded.
        given: to somebody; else the patch is everybody's.
        stage: of its double read.
        readiness: one of `worklist.READY`, `EARLIER`, `WAITING`.
        unread: a model in use, or the stain measurement, has not read the square that counts.
        said: what each reader says, " cnn=3 stain=2 ".
        case_name: slide or case, casefolded; empty where it is not known.
        gap, reader_gap: grades, see `worklist`.
        doubt, certainty: sort the most doubtful first, see `worklist.doubt`.
    """

    __tablename__ = "patch_state"
    __table_args__ = (
        Index(
            "ix_patch_state_arrival",
            "derived_id", "received_at", "sha256", "given", "stage", "patch_id",
        ),
        Index(
            "ix_patch_state_name",
            "derived_id", "name_key", "received_at", "sha256", "given", "stage", "patch_id",
        ),
        Index(
            "ix_patch_state_doubt",
            "derived_id", "doubt", "certainty", "received_at", "sha256", "given", "stage",
            "patch_id",
        ),
        Index("ix_patch_state_counts", "derived_id", "readiness", "given", "stage", "patch_id"),
        Index("ix_patch_state_look", "derived_id", "look"),
        Index("ix_patch_state_case", "derived_id", "case_name"),
    )  # fmt: skip

    derived_id: Mapped[int] = mapped_column(primary_key=True)
    patch_id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(_PLAIN_SHA256)
    received_at: Mapped[datetime] = mapped_column(UtcText)
    name_key: Mapped[str] = mapped_column(_PLAIN)
    look: Mapped[str] = mapped_column(_PLAIN)
    search: Mapped[str] = mapped_column(_PLAIN)
    given: Mapped[bool] = mapped_column(Boolean)
    stage: Mapped[str | None] = mapped_column(String(12))
    readiness: Mapped[int] = mapped_column(Integer)
    unread: Mapped[bool] = mapped_column(Boolean)
    said: Mapped[str] = mapped_column(_PLAIN, server_default="")
    case_name: Mapped[str] = mapped_column(_PLAIN, server_default="")
    gap: Mapped[int | None] = mapped_column(Integer)
    reader_gap: Mapped[int | None] = mapped_column(Integer)
    unfamiliar: Mapped[bool] = mapped_column(Boolean)
    assessable: Mapped[bool] = mapped_column(Boolean)
    doubt: Mapped[int] = mapped_column(Integer)
    certainty: Mapped[float] = mapped_column(Double)


class ReviewStateRow(Base):
    """An entry of the log as the log's filters ask about it.

    Attributes:
        superseded: a later entry corrects it.
        gap: grades between the models' verdicts; NULL with fewer than two.
        same: the own score is every model's; NULL without a verdict.
        assessable: the square held enough tumour cells for a score.
        search: comment, name and sha256 of the patch, casefolded.
    """

    __tablename__ = "review_state"
    __table_args__ = (
        Index("ix_review_state_current", "superseded", "patch_id", "review_id"),
        Index("ix_review_state_patch_id", "patch_id"),
    )

    review_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    patch_id: Mapped[int] = mapped_column(Integer)
    reviewer_id: Mapped[int] = mapped_column(Integer)
    superseded: Mapped[bool] = mapped_column(Boolean)
    gap: Mapped[int | None] = mapped_column(Integer)
    same: Mapped[bool | None] = mapped_column(Boolean)
    assessable: Mapped[bool] = mapped_column(Boolean)
    search: Mapped[str] = mapped_column(_PLAIN)


class ShownFiguresRow(Base):
    """Figures over the log, up to an entry, that one person's screen showed; append-only.

    They tell of the verdicts of every patch with an entry up to there, but those of double reads
    which were not finished by then; see `showings`.
    """

    __tablename__ = "shown_figures"

    id: Mapped[int] = mapped_column(primary_key=True)
    reviewer: Mapped[str] = mapped_column(String(80), index=True)
    last_review_id: Mapped[int] = mapped_column(Integer)
    shown_at: Mapped[datetime] = mapped_column(UtcText)
