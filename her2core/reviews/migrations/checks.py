"""For migrations: another condition for a CHECK, where other tables refer to its table.

SQLite cannot alter a CHECK, and a table that others refer to cannot be made anew while foreign keys
are looked at, as they are here. So its definition is edited in place, as SQLite's documentation
says for changes that leave the stored rows as they are ("Making Other Kinds Of Table Schema
Changes", https://www.sqlite.org/lang_altertable.html).
"""

from alembic import op
from sqlalchemy import text


def replace_check(table: str, name: str, before: str, after: str) -> None:
    """Let a CHECK ask another condition, which every row that is there must meet.

    Args:
        table: its table.
        name: its whole name, e.g. "ck_account_role".
        before: its condition, as the migration that made it wrote it.
        after: the new condition.

    Raises:
        ValueError: the table has no such condition.
    """
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, after)
        return
    wanted = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")
    sql = connection.execute(wanted, {"table": table}).scalar_one()
    old, new = f"CHECK ({before})", f"CHECK ({after})"
    if sql.count(old) != 1:
        raise ValueError(f"{table} has no {old}.")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        text("UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :table"),
        {"sql": sql.replace(old, new), "table": table},
    )
    # tells this and all other connections that the schema they know is an old one
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
