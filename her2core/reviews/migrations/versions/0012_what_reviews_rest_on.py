"""What reviews rest on is kept like reviews: patches, reviewers, double reads and their readers.

A patch alone (its name, its size) and the terms of a double read are in no hash, so that only the
database can refuse to change them. Assignments are never changed either, but may be withdrawn: a
single one that was not read yet, and the claim of an adjudicator who did not answer.
"""

from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"

APPEND_ONLY = {
    "patch": "A recorded patch is never changed or deleted; reviews rest on it.",
    "reviewer": "A reviewer who has recorded reviews is never changed or deleted.",
    "double_read": "A double read is never changed or deleted once it is given out.",
    "assignment": "An assignment is never changed or deleted once it is part of a double read.",
}
# the only rows of a table that may not be deleted
_KEPT = {"assignment": "OLD.kind = 'double'"}


def upgrade() -> None:
    """Create the triggers; on PostgreSQL against TRUNCATE, too, which asks no row's trigger."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    for table, message in APPEND_ONLY.items():
        refuse = (  # the function is that of the first migration
            f"EXECUTE FUNCTION refuse_change('{message}')"
            if postgresql
            else f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        _create(table, "UPDATE", f"FOR EACH ROW {refuse}")
        kept = f"WHEN ({_KEPT[table]}) " if table in _KEPT else ""
        _create(table, "DELETE", f"FOR EACH ROW {kept}{refuse}")
        if postgresql:
            _create(table, "TRUNCATE", f"FOR EACH STATEMENT {refuse}")


def downgrade() -> None:
    """Reviews are never thrown away: there is no way back but a backup."""
    raise NotImplementedError("Restore a backup to go back to an older schema.")


def _create(table: str, verb: str, rest: str) -> None:
    op.execute(f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} {rest}")
