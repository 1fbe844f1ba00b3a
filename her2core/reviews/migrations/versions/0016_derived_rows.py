"""What pages ask of the log, computed once and kept; and figures over the log that were shown.

The derived tables are empty here: they are filled, part by part, when they are first asked for
(her2core.reviews.derived), so that a log of any length is opened at once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from her2core.reviews.migrations.triggers import ANY_CHANGE, refuse, refuse_replacing

revision: str = "0016"
down_revision: str | None = "0015"

_MESSAGE = "What was shown stays shown; it is never changed or deleted."
_ORDER = ("given", "stage", "patch_id")
_INDEXES = {
    "arrival": ("derived_id", "received_at", "sha256", *_ORDER),
    "name": ("derived_id", "name_key", "received_at", "sha256", *_ORDER),
    "doubt": ("derived_id", "doubt", "certainty", "received_at", "sha256", *_ORDER),
    "counts": ("derived_id", "readiness", *_ORDER),
    "look": ("derived_id", "look"),
}


def upgrade() -> None:
    """Create the tables, and the triggers on what is never changed; see 0012 and 0015."""
    collation = "C" if op.get_bind().dialect.name == "postgresql" else None
    op.create_table(
        "derived",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("filled_to", sa.Integer, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_derived"),
        sa.UniqueConstraint("name", name="uq_derived_name"),
    )
    op.create_table(
        "patch_state",
        sa.Column("derived_id", sa.Integer, nullable=False),
        sa.Column("patch_id", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64, collation=collation), nullable=False),
        sa.Column("received_at", sa.String(32), nullable=False),
        sa.Column("name_key", sa.Text(collation=collation), nullable=False),
        sa.Column("look", sa.Text(collation=collation), nullable=False),
        sa.Column("search", sa.Text(collation=collation), nullable=False),
        sa.Column("given", sa.Boolean, nullable=False),
        sa.Column("stage", sa.String(12), nullable=True),
        sa.Column("readiness", sa.Integer, nullable=False),
        sa.Column("unread", sa.Boolean, nullable=False),
        sa.Column("scores", sa.Integer, nullable=False),
        sa.Column("gap", sa.Integer, nullable=True),
        sa.Column("reader_gap", sa.Integer, nullable=True),
        sa.Column("unfamiliar", sa.Boolean, nullable=False),
        sa.Column("assessable", sa.Boolean, nullable=False),
        sa.Column("doubt", sa.Integer, nullable=False),
        sa.Column("certainty", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("derived_id", "patch_id", name="pk_patch_state"),
    )
    for name, columns in _INDEXES.items():
        op.create_index(f"ix_patch_state_{name}", "patch_state", list(columns))
    op.create_table(
        "review_state",
        sa.Column("review_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("patch_id", sa.Integer, nullable=False),
        sa.Column("reviewer_id", sa.Integer, nullable=False),
        sa.Column("superseded", sa.Boolean, nullable=False),
        sa.Column("gap", sa.Integer, nullable=True),
        sa.Column("same", sa.Boolean, nullable=True),
        sa.Column("assessable", sa.Boolean, nullable=False),
        sa.Column("search", sa.Text(collation=collation), nullable=False),
        sa.PrimaryKeyConstraint("review_id", name="pk_review_state"),
    )
    current = ["superseded", "patch_id", "review_id"]
    op.create_index("ix_review_state_current", "review_state", current)
    op.create_index("ix_review_state_patch_id", "review_state", ["patch_id"])
    op.create_table(
        "shown_figures",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("reviewer", sa.String(80), nullable=False),
        sa.Column("last_review_id", sa.Integer, nullable=False),
        sa.Column("shown_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shown_figures"),
    )
    op.create_index("ix_shown_figures_reviewer", "shown_figures", ["reviewer"])
    refuse("shown_figures", _MESSAGE, *ANY_CHANGE)
    refuse_replacing("shown_figures")
