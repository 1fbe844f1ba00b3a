"""What reviews rest on is kept like reviews: patches, reviewers, double reads and their readers.

A patch alone (its name, its size) and the terms of a double read are in no hash, so that only the
database can refuse to change them. Assignments are never changed either, but may be withdrawn: a
single one that was not read yet, and the claim of an adjudicator who did not answer.
"""

from her2core.reviews.migrations.triggers import refuse

revision: str = "0012"
down_revision: str | None = "0011"

APPEND_ONLY = {
    "patch": "A recorded patch is never changed or deleted; reviews rest on it.",
    "reviewer": "A reviewer who has recorded reviews is never changed or deleted.",
    "double_read": "A double read is never changed or deleted once it is given out.",
    "assignment": "An assignment is never changed or deleted once it is part of a double read.",
}
# the only rows of a table that may not be deleted
_KEPT = {"assignment": "WHEN (OLD.kind = 'double') "}


def upgrade() -> None:
    """Create the triggers; on PostgreSQL against TRUNCATE, too."""
    for table, message in APPEND_ONLY.items():
        refuse(table, message, "UPDATE", "TRUNCATE")
        refuse(table, message, "DELETE", when=_KEPT.get(table, ""))
