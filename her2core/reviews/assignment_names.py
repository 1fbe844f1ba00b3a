"""Tables of who reads what, by name: they are `her2core.people`'s, and only asked here."""

from __future__ import annotations

from sqlalchemy import column, table

ACCOUNT = table("account", column("id"), column("name"))
ASSIGNMENT = table(
    "assignment", column("id"), column("patch_id"), column("account_id"), column("kind")
)
DOUBLE_READ = table("double_read", column("id"), column("patch_id"), column("created_at"))
