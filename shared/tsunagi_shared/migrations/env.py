"""How alembic runs here: on the connection handed over, inside the transaction that its caller holds."""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    version_table=attributes["version_table"],
    transactional_ddl=False,
    render_as_batch=True,
)
context.run_migrations()
