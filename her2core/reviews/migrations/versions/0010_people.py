"""Who may sign in, failed sign-ins of the last minutes, and the audit table, append-only too."""

import sqlalchemy as sa
from alembic import op

from her2core.reviews.migrations.triggers import ANY_CHANGE, refuse

revision: str = "0010"
down_revision: str | None = "0004"

_MESSAGE = "An audit entry is never changed or deleted."


def upgrade() -> None:
    """Create the tables and the triggers that refuse to change the audit."""
    op.create_table(
        "account",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("name_key", sa.String(160), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=True),
        sa.Column("login", sa.String(255), nullable=True),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("name", name="uq_account_name"),
        sa.UniqueConstraint("name_key", name="uq_account_name_key"),
        sa.UniqueConstraint("login", name="uq_account_login"),
        sa.CheckConstraint(
            "role IN ('reviewer', 'adjudicator', 'administrator')", name=op.f("ck_account_role")
        ),
    )
    op.create_table(
        "sign_in_failure",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name_hash", sa.String(64), nullable=False),
        sa.Column("failed_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_failure"),
    )
    op.create_index("ix_sign_in_failure_name_hash", "sign_in_failure", ["name_hash"])
    op.create_index("ix_sign_in_failure_failed_at", "sign_in_failure", ["failed_at"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("happened_at", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_happened_at", "audit", ["happened_at"])
    op.create_index("ix_audit_action", "audit", ["action"])
    refuse("audit", _MESSAGE, *ANY_CHANGE, spelled="")
