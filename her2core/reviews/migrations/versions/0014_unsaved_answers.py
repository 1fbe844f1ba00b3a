"""Answers that are begun and not saved, so that they outlive a session and a server.

No triggers: they are written over and deleted. No key leads to the patch, so that keeping one asks
nothing of other tables.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "unsaved_answer",
        sa.Column("reviewer", sa.String(80), nullable=False),
        sa.Column("patch_sha256", sa.String(64), nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("reviewer", "patch_sha256", name="pk_unsaved_answer"),
    )
    op.create_index("ix_unsaved_answer_changed_at", "unsaved_answer", ["changed_at"])
