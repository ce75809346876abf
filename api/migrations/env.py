"""Alembic runs this; the connection comes from ``api.migrations.upgrade``."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
