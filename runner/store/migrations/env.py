"""How Alembic runs the revisions: on the connection that `runner.store.migrating` hands over."""

from alembic import context

from runner.store.schema import STATE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=STATE,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
