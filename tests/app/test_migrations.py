"""The revisions lead to exactly the tables that the code speaks of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect

import app.system  # noqa: F401  # every stage's tables
from facility.storage.database import metadata, open_database
from facility.storage.migrate import upgrade


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Engine]:
    """The server's database, emptied before and after."""
    engine = open_database(postgres_url)
    empty(engine)
    yield engine
    empty(engine)
    engine.dispose()


def empty(engine: Engine) -> None:
    """Drop everything that a test left."""
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")


def differences(engine: Engine) -> list[object]:
    """Return what the code wants and the database lacks, and the other way round."""
    upgrade(engine)
    upgrade(engine)  # a second time changes nothing
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def test_a_new_sqlite_file_gets_every_table_that_the_code_speaks_of(database: Engine) -> None:
    assert differences(database) == []
    assert {"alarm_episode", "work_order", "journal", "outbox", "rule_state"} <= set(inspect(database).get_table_names())


def test_a_new_postgresql_database_gets_the_same_tables(postgres: Engine) -> None:
    assert differences(postgres) == []
