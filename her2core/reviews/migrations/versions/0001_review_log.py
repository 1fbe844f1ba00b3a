"""The review log: reviewers, patches, verdicts, hash-chained reviews, and what keeps it that way.

A migration is history: it spells its tables out instead of importing today's schema.
"""

import sqlalchemy as sa
from alembic import op

from her2core.reviews.migrations.triggers import refuse

revision: str = "0001"
down_revision: str | None = None

APPEND_ONLY = {
    "review": "A recorded review is never changed or deleted; record a correction instead.",
    "review_verdict": "The answers of a recorded review are never changed or deleted.",
    "verdict": "A recorded verdict is never changed or deleted; reviews rest on it.",
}


def upgrade() -> None:
    """Create the tables, the empty log's head, and the triggers that refuse changes."""
    op.create_table(
        "reviewer",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reviewer"),
        sa.UniqueConstraint("name", name="uq_reviewer_name"),
    )
    op.create_table(
        "patch",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("received_at", sa.String(32), nullable=False),
        sa.Column("warnings", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_patch"),
        sa.UniqueConstraint("sha256", name="uq_patch_sha256"),
    )
    op.create_table(
        "verdict",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("patch_id", sa.Integer, nullable=False),
        *_square_columns(),
        sa.Column("architecture", sa.String(40), nullable=False),
        sa.Column("model_id", sa.String(200), nullable=False),
        sa.Column("reading", sa.Integer, nullable=False),
        sa.Column("p_0", sa.Double, nullable=False),
        sa.Column("p_1plus", sa.Double, nullable=False),
        sa.Column("p_2plus", sa.Double, nullable=False),
        sa.Column("p_3plus", sa.Double, nullable=False),
        sa.Column("demo", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verdict"),
        sa.ForeignKeyConstraint(["patch_id"], ["patch.id"], name="fk_verdict_patch_id_patch"),
        sa.UniqueConstraint(
            "patch_id", "square_x", "square_y", "square_size", "model_id", "reading",
            name="uq_verdict_reading",
        ),
        sa.CheckConstraint("square_size > 0", name=op.f("ck_verdict_square_size")),
    )  # fmt: skip
    _create_review()
    op.create_table(
        "review_verdict",
        sa.Column("review_id", sa.Integer, nullable=False),
        sa.Column("verdict_id", sa.Integer, nullable=False),
        sa.Column("agrees", sa.Boolean, nullable=True),
        sa.PrimaryKeyConstraint("review_id", "verdict_id", name="pk_review_verdict"),
        sa.ForeignKeyConstraint(
            ["review_id"], ["review.id"], name="fk_review_verdict_review_id_review"
        ),
        sa.ForeignKeyConstraint(
            ["verdict_id"], ["verdict.id"], name="fk_review_verdict_verdict_id_verdict"
        ),
    )
    head = op.create_table(
        "log_head",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("last_id", sa.Integer, nullable=False),
        sa.Column("last_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_head"),
        sa.CheckConstraint("id = 1", name=op.f("ck_log_head_single_row")),
    )
    op.bulk_insert(head, [{"id": 1, "last_id": 0, "last_hash": "0" * 64}])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$"
        )
    for table, message in APPEND_ONLY.items():
        refuse(table, message, "UPDATE", "DELETE", spelled="")


def _square_columns() -> list[sa.Column[int]]:
    return [
        sa.Column(name, sa.Integer, nullable=False)
        for name in ("square_x", "square_y", "square_size")
    ]


def _create_review() -> None:
    op.create_table(
        "review",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("token", sa.String(64), nullable=True),
        sa.Column("patch_id", sa.Integer, nullable=False),
        *_square_columns(),
        sa.Column("reviewer_id", sa.Integer, nullable=False),
        sa.Column("own_score", sa.Integer, nullable=False),
        sa.Column("confidence", sa.String(10), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("blind", sa.Boolean, nullable=False),
        sa.Column("supersedes", sa.Integer, nullable=True),
        sa.Column("recorded_at", sa.String(32), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("entry_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
        sa.ForeignKeyConstraint(["patch_id"], ["patch.id"], name="fk_review_patch_id_patch"),
        sa.ForeignKeyConstraint(
            ["reviewer_id"], ["reviewer.id"], name="fk_review_reviewer_id_reviewer"
        ),
        sa.ForeignKeyConstraint(["supersedes"], ["review.id"], name="fk_review_supersedes_review"),
        sa.UniqueConstraint("token", name="uq_review_token"),
        sa.UniqueConstraint("supersedes", name="uq_review_supersedes"),
        sa.UniqueConstraint("entry_hash", name="uq_review_entry_hash"),
        sa.CheckConstraint("own_score BETWEEN 0 AND 3", name=op.f("ck_review_own_score")),
        sa.CheckConstraint(
            "confidence IN ('low', 'medium', 'high')", name=op.f("ck_review_confidence")
        ),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_review_seconds")),
        sa.CheckConstraint("square_size > 0", name=op.f("ck_review_square_size")),
    )
    op.create_index("ix_review_patch_id", "review", ["patch_id"])
    op.create_index("ix_review_recorded_at", "review", ["recorded_at"])
    op.create_index("ix_review_reviewer_id_patch_id", "review", ["reviewer_id", "patch_id"])
