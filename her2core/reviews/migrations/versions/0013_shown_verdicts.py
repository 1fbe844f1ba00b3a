"""Whose screen showed the verdicts of which patch, and since when: what "blind" rests on.

No key leads to the patch: an evaluation report shows verdicts of patches that come here later, and
the name need not be that of somebody who has recorded a review. What versions before have shown is
not known; their unblinded reviews tell a part of it.
"""

import sqlalchemy as sa
from alembic import op

from her2core.reviews.migrations.triggers import ANY_CHANGE, refuse

revision: str = "0013"
down_revision: str | None = "0012"

_MESSAGE = "What was shown stays shown; it is never changed or deleted."


def upgrade() -> None:
    """Create the table and its triggers; see 0012."""
    op.create_table(
        "shown_verdicts",
        sa.Column("reviewer", sa.String(80), nullable=False),
        sa.Column("patch_sha256", sa.String(64), nullable=False),
        sa.Column("shown_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("reviewer", "patch_sha256", name="pk_shown_verdicts"),
    )
    refuse("shown_verdicts", _MESSAGE, *ANY_CHANGE)
