"""Alembic runs this file; the connection comes from :mod:`facility.storage.migrate`."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from facility.storage import outbox, tables
from facility.storage.database import metadata


def run(connection: Connection) -> None:
    """Run the revisions in the transaction that is already open."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,  # SQLite cannot alter a column in place
        transactional_ddl=True,
        compare_type=True,
    )
    context.run_migrations()


_OWN_TABLES = (outbox, tables)  # imported so that their tables stand in the metadata

run(context.config.attributes["connection"])
