"""PostgreSQL empties a table without asking its row triggers; these are asked.

SQLite has no TRUNCATE.
"""

from her2core.reviews.migrations.triggers import refuse

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
    for table, message in APPEND_ONLY.items():
        refuse(table, message, "TRUNCATE")
