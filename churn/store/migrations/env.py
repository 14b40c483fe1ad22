"""Alembic's entry: runs the migrations over the connection that `churn.store.store.migrate` gives."""

from alembic import context

from churn.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place
)
with context.begin_transaction():
    context.run_migrations()
