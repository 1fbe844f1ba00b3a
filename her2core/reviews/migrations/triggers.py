"""For migrations: triggers that refuse to change what is recorded, on either database.

A database keeps their text: another spelling here would make new databases differ from old ones.
"""

from alembic import op

ANY_CHANGE = ("UPDATE", "DELETE", "TRUNCATE")


def refuse(
    table: str, message: str, *verbs: str, when: str = "", spelled: str = "FOR EACH ROW "
) -> None:
    """Create a trigger TABLE_no_VERB for each of the verbs.

    PostgreSQL empties a table without asking its row triggers, so that TRUNCATE has one of its own;
    SQLite has no TRUNCATE, and the verb is passed over.

    Args:
        table: whose rows are kept.
        message: what whoever tries is told.
        verbs: of `ANY_CHANGE`.
        when: condition of the rows that are kept, as "WHEN (…) "; empty: all.
        spelled: in SQLite, where it is the only kind of trigger and may be left out.
    """
    postgresql = op.get_bind().dialect.name == "postgresql"
    for verb in verbs:
        begin = f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
        if postgresql:
            each = "STATEMENT" if verb == "TRUNCATE" else "ROW"
            # the function is that of the first migration
            op.execute(f"{begin} FOR EACH {each} {when}EXECUTE FUNCTION refuse_change('{message}')")
        elif verb != "TRUNCATE":
            op.execute(f"{begin} {spelled}{when}BEGIN SELECT RAISE(ABORT, '{message}'); END")


def refuse_replacing(table: str, *keys: tuple[str, ...]) -> None:
    """Refuse SQLite's REPLACE, which deletes the old row without asking triggers against deletion.

    PostgreSQL has none, and asks the triggers on UPDATE in its place.

    Args:
        table: whose rows are kept.
        keys: columns that are unique together, beside the rowid.
    """
    if op.get_bind().dialect.name == "postgresql":
        return
    # a rowid that SQLite is still to choose reads as -1 here; ours begin with 1
    taken = [f"NEW.rowid > 0 AND EXISTS (SELECT 1 FROM {table} WHERE rowid = NEW.rowid)"]
    for key in keys:
        same = " AND ".join(f"{column} = NEW.{column}" for column in key)
        taken.append(f"EXISTS (SELECT 1 FROM {table} WHERE {same})")
    op.execute(
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {' OR '.join(taken)} "
        "BEGIN SELECT RAISE(ABORT, 'What is recorded is never replaced.'); END"
    )
