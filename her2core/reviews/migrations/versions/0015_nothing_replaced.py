"""No row is replaced, a register covers what is in no review's hash, failures know their address.

SQLite's REPLACE deletes the old row without asking the triggers against deletion, unless the
connection asks for it; triggers on INSERT are always asked. What stood in the tables of the
register before is registered as it is found: what was done to it earlier cannot be told.
"""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from her2core.reviews.migrations.triggers import ANY_CHANGE, refuse, refuse_replacing

revision: str = "0015"
down_revision: str | None = "0014"

_SQUARE = ("patch_id", "square_x", "square_y", "square_size")
# what is unique in a table beside its rowid, which is its id where it has one
_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "review": (("token",), ("supersedes",), ("entry_hash",)),
    "review_verdict": (("review_id", "verdict_id"),),
    "review_stain": (),
    "verdict": ((*_SQUARE, "model_id", "reading"),),
    "stain_reading": ((*_SQUARE, "method", "reading"),),
    "patch": (("sha256",),),
    "reviewer": (("name",),),
    "double_read": (("patch_id",),),
    "assignment": (("patch_id", "account_id"),),
    "audit": (),
    "shown_verdicts": (("reviewer", "patch_sha256"),),
    "register": (),
    "log_head": (),
}
_REGISTER = "The register of what was recorded is never changed or deleted."
_HEAD = "Where the log ends never goes back."
_GOES_BACK = "NEW.id <> OLD.id OR NEW.last_id < OLD.last_id OR NEW.register_id < OLD.register_id"
# subject of the register, and its rows: the key, then all that is hashed; see register.py
_SUBJECTS = (
    ("patch", "SELECT sha256, sha256, name, width, height, received_at, warnings FROM patch", "id"),
    ("double read", "SELECT id, id, patch_id, blind, created_at FROM double_read", "id"),
    (
        "reader",
        "SELECT id, id, patch_id, account_id, double_read_id, kind, assigned_by, assigned_at "
        "FROM assignment WHERE kind = 'double'",
        "id",
    ),
    (
        "showing",
        "SELECT patch_sha256 || ' ' || reviewer, reviewer, patch_sha256, shown_at "
        "FROM shown_verdicts",
        "shown_at, reviewer, patch_sha256",
    ),
    ("audit", "SELECT id, id, happened_at, actor, action, detail FROM audit", "id"),
)


def upgrade() -> None:
    """Make the register of what is there, and the triggers."""
    _failures_by_address()
    op.create_table(
        "register",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("subject", sa.String(20), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("row_hash", sa.String(64), nullable=False),
        sa.Column("line_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_register"),
    )
    op.add_column(
        "log_head", sa.Column("register_id", sa.Integer, nullable=False, server_default="0")
    )
    op.add_column(
        "log_head",
        sa.Column("register_hash", sa.String(64), nullable=False, server_default="0" * 64),
    )
    _register_all()
    refuse("register", _REGISTER, *ANY_CHANGE)
    refuse("log_head", _HEAD, "UPDATE", when=f"WHEN ({_GOES_BACK}) ")
    refuse("log_head", _HEAD, "DELETE", "TRUNCATE")
    for table, keys in _KEYS.items():
        refuse_replacing(table, *keys)


def _failures_by_address() -> None:
    op.add_column("account", sa.Column("unlocked_at", sa.String(32), nullable=True))
    op.add_column(
        "sign_in_failure",
        sa.Column("address_hash", sa.String(64), nullable=False, server_default=""),
    )
    op.create_index("ix_sign_in_failure_address_hash", "sign_in_failure", ["address_hash"])
    op.create_table(
        "known_address",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("address_hash", sa.String(64), nullable=False),
        sa.Column("signed_in_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "address_hash", name="pk_known_address"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_known_address_account_id_account"
        ),
    )


def _register_all() -> None:
    bind = op.get_bind()
    lines: list[dict[str, object]] = []
    previous = "0" * 64
    for subject, rows, order in _SUBJECTS:
        for key, *facts in bind.execute(sa.text(f"{rows} ORDER BY {order}")):
            row_hash = _sha256([1, subject, *(_plain(fact) for fact in facts)])
            number = len(lines) + 1
            previous = _sha256([1, previous, number, subject, str(key), row_hash])
            line = {"id": number, "subject": subject, "key": str(key), "row_hash": row_hash}
            lines.append({**line, "line_hash": previous})
    if not lines:
        return
    columns: list[sa.ColumnClause[object]] = [sa.column(name) for name in lines[0]]
    bind.execute(sa.insert(sa.table("register", *columns)), lines)
    bind.execute(
        sa.text("UPDATE log_head SET register_id = :number, register_hash = :hash"),
        {"number": len(lines), "hash": previous},
    )


def _plain(fact: Any) -> Any:
    if isinstance(fact, bool):
        return int(fact)
    # PostgreSQL's driver reads JSON, SQLite's leaves it as text
    return json.dumps(fact) if isinstance(fact, list) else fact


def _sha256(facts: list[Any]) -> str:
    spelled = json.dumps(facts, separators=(",", ":"), default=repr)
    return hashlib.sha256(spelled.encode("ascii")).hexdigest()
