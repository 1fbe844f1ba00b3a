"""Tables of what is computed from the log and kept beside it, so that no page reads all of it.

Nothing rests on them: `derived` fills them, in the transaction that changes what they follow from,
and `python -m her2core.reviews rebuild` makes them anew.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from her2core.reviews.schema import Base

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
    filled_to: Mapped[int]
    complete: Mapped[bool]


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
    received_at: Mapped[datetime]
    name_key: Mapped[str] = mapped_column(_PLAIN)
    look: Mapped[str] = mapped_column(_PLAIN)
    search: Mapped[str] = mapped_column(_PLAIN)
    given: Mapped[bool]
    stage: Mapped[str | None] = mapped_column(String(12))
    readiness: Mapped[int]
    unread: Mapped[bool]
    said: Mapped[str] = mapped_column(_PLAIN, server_default="")
    case_name: Mapped[str] = mapped_column(_PLAIN, server_default="")
    gap: Mapped[int | None]
    reader_gap: Mapped[int | None]
    unfamiliar: Mapped[bool]
    assessable: Mapped[bool]
    doubt: Mapped[int]
    certainty: Mapped[float]


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
    patch_id: Mapped[int]
    reviewer_id: Mapped[int]
    superseded: Mapped[bool]
    gap: Mapped[int | None]
    same: Mapped[bool | None]
    assessable: Mapped[bool]
    search: Mapped[str] = mapped_column(_PLAIN)
