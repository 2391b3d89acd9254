"""Runs the revisions on the connection that was opened for them."""

from alembic import context

from router.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
