"""Slide or case of a patch, as a table told it; what each reader says, for filters of the worklist.

The derived rows are emptied: they are filled when they are first asked for, part by part
(her2core.reviews.derived), so that a filling that is killed goes on where it was.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"


def upgrade() -> None:
    """Create the table, and change the derived rows."""
    op.create_table(
        "patch_case",
        sa.Column("patch_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("label", sa.Integer, nullable=True),
        sa.PrimaryKeyConstraint("patch_id", name="pk_patch_case"),
        sa.ForeignKeyConstraint(["patch_id"], ["patch.id"], name="fk_patch_case_patch_id_patch"),
        sa.CheckConstraint("label BETWEEN 0 AND 3", name="label"),
    )
    op.execute("DELETE FROM patch_state")
    op.execute("DELETE FROM derived")
    plain = sa.Text(collation="C" if op.get_bind().dialect.name == "postgresql" else None)
    op.drop_column("patch_state", "scores")
    for name in ("said", "case_name"):
        op.add_column("patch_state", sa.Column(name, plain, nullable=False, server_default=""))
    op.create_index("ix_patch_state_case", "patch_state", ["derived_id", "case_name"])
