"""The third reader: stain readings beside patches and reviews, and how unfamiliar a patch is.

Existing entries keep their hashes: they have no reading, and their verdicts no novelty.
"""

import sqlalchemy as sa
from alembic import op

from her2core.reviews.migrations.triggers import refuse

revision: str = "0002"
down_revision: str | None = "0001"

APPEND_ONLY = {
    "stain_reading": "A recorded stain reading is never changed or deleted; reviews rest on it.",
    "review_stain": "The stain reading of a recorded review is never changed or deleted.",
}


def upgrade() -> None:
    """Create both tables with their triggers, and the column of the verdicts."""
    op.add_column("verdict", sa.Column("novelty", sa.Double, nullable=True))
    op.create_table(
        "stain_reading",
        sa.Column("id", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("patch_id", "square_x", "square_y", "square_size")
        ),
        sa.Column("method", sa.String(200), nullable=False),
        sa.Column("reading", sa.Integer, nullable=False),
        sa.Column("score", sa.Integer, nullable=True),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("ultralow", sa.Boolean, nullable=False),
        *(
            sa.Column(f"cells_{pattern}", sa.Integer, nullable=False)
            for pattern in ("none", "faint", "moderate", "intense")
        ),
        *(
            sa.Column(name, sa.Double, nullable=True)
            for name in ("completeness", "intensity", "um_per_pixel")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stain_reading"),
        sa.ForeignKeyConstraint(["patch_id"], ["patch.id"], name="fk_stain_reading_patch_id_patch"),
        sa.UniqueConstraint(
            "patch_id", "square_x", "square_y", "square_size", "method", "reading",
            name="uq_stain_reading_reading",
        ),
        sa.CheckConstraint("square_size > 0", name=op.f("ck_stain_reading_square_size")),
        sa.CheckConstraint("score BETWEEN 0 AND 3", name=op.f("ck_stain_reading_score")),
    )  # fmt: skip
    op.create_table(
        "review_stain",
        sa.Column("review_id", sa.Integer, nullable=False),
        sa.Column("stain_reading_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("review_id", name="pk_review_stain"),
        sa.ForeignKeyConstraint(
            ["review_id"], ["review.id"], name="fk_review_stain_review_id_review"
        ),
        sa.ForeignKeyConstraint(
            ["stain_reading_id"],
            ["stain_reading.id"],
            name="fk_review_stain_stain_reading_id_stain_reading",
        ),
    )
    for table, message in APPEND_ONLY.items():
        refuse(table, message, "UPDATE", "DELETE", spelled="")
