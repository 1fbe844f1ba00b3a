"""Brings a database to the schema this version of the code knows; run from the package itself.

Reviews are never thrown away, so that no migration has a way back; there is one by a backup alone.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from her2core.reviews.errors import StoreError

# any fixed number will do; it only has to be the same for all processes
_POSTGRESQL_LOCK = 4_837_201


def migrate(engine: Engine) -> None:
    """Upgrade to the newest schema, in one transaction, one process at a time.

    Args:
        engine: one whose transactions take the write lock at once (`database.for_writing`).

    Raises:
        StoreError: the database was written by a newer version of the code.
    """
    config = alembic_config()
    scripts = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_POSTGRESQL_LOCK})"))
        # read under the lock: another process may have migrated while this one waited
        try:
            current = MigrationContext.configure(connection).get_current_revision()
        except CommandError as error:
            raise StoreError(
                "The review database does not say which schema it has; restore it from a backup."
            ) from error
        if current == scripts.get_current_head():
            return
        known = {script.revision for script in scripts.walk_revisions()}
        if current is not None and current not in known:
            raise StoreError(
                f"The review database was written by a newer version of this program (schema "
                f"{current}); update this installation, or set DATABASE_URL to another database."
            )
        command.upgrade(alembic_config(connection), "head")


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration without an ini file."""
    config = Config(attributes={"connection": connection} if connection is not None else None)
    here = str(Path(__file__).resolve().parent)
    config.set_main_option("script_location", here.replace("%", "%%"))
    return config
