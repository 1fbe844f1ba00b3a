"""Run by Alembic: applies the migrations on the connection which the store hands over."""

from alembic import context

from her2core.reviews.schema import Base

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("Migrations run when the store opens; see her2core.reviews.migrations.")
# of the metadata a migration needs the naming of constraints alone
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
