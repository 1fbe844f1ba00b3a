"""Which backend ran the network for a verdict; unknown for those recorded before.

Not part of the hash chain: entries recorded earlier keep their hashes.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column("verdict", sa.Column("backend", sa.String(80), nullable=True))
