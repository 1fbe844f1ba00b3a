"""Where on a slide a patch was taken, if it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"


def upgrade() -> None:
    """Add the column."""
    op.add_column("patch", sa.Column("origin", sa.JSON(), nullable=True))
