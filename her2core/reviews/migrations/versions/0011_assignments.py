"""Which patch is whose to read: alone, as one of two blinded readers, or as adjudicator."""

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "double_read",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("patch_id", sa.Integer, nullable=False),
        sa.Column("blind", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_double_read"),
        sa.ForeignKeyConstraint(["patch_id"], ["patch.id"], name="fk_double_read_patch_id_patch"),
        sa.UniqueConstraint("patch_id", name="uq_double_read_patch_id"),
    )
    op.create_table(
        "assignment",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("patch_id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("double_read_id", sa.Integer, nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("assigned_by", sa.String(80), nullable=False),
        sa.Column("assigned_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_assignment"),
        sa.ForeignKeyConstraint(["patch_id"], ["patch.id"], name="fk_assignment_patch_id_patch"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_assignment_account_id_account"
        ),
        sa.ForeignKeyConstraint(
            ["double_read_id"],
            ["double_read.id"],
            name="fk_assignment_double_read_id_double_read",
        ),
        sa.UniqueConstraint("patch_id", "account_id", name="uq_assignment_patch_id_account_id"),
        sa.CheckConstraint(
            "kind IN ('single', 'double', 'adjudication')", name=op.f("ck_assignment_kind")
        ),
    )
    for column in ("patch_id", "account_id", "double_read_id"):
        op.create_index(f"ix_assignment_{column}", "assignment", [column])
