"""PostgreSQL empties a table without asking its row triggers; these are asked.

SQLite has no TRUNCATE.
"""

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"

APPEND_ONLY = {
    "review": "A recorded review is never changed or deleted; record a correction instead.",
    "review_verdict": "The answers of a recorded review are never changed or deleted.",
    "verdict": "A recorded verdict is never changed or deleted; reviews rest on it.",
    "stain_reading": "A recorded stain reading is never changed or deleted; reviews rest on it.",
    "review_stain": "The stain reading of a recorded review is never changed or deleted.",
}


def upgrade() -> None:
    """Create the triggers where the database is PostgreSQL."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, message in APPEND_ONLY.items():
        op.execute(  # the function is that of the first migration
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('{message}')"
        )


def downgrade() -> None:
    """Reviews are never thrown away: there is no way back but a backup."""
    raise NotImplementedError("Restore a backup to go back to an older schema.")
