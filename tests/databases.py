"""Databases for tests, and people in them."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from sqlalchemy import Connection, Engine, create_engine, make_url

import alarms.tables
import facility.storage.outbox
import facility.storage.tables
import gateway.commands.tables
import people.tables
import rules.changes.tables
import rules.tables
import workorders.tables
from facility.storage.database import metadata
from people.model import Account, Role
from people.service import create_account

_STAGES = (
    facility.storage.outbox,
    facility.storage.tables,
    people.tables,
    gateway.commands.tables,
    rules.tables,
    rules.changes.tables,
    alarms.tables,
    workorders.tables,
)  # imported so that the metadata has every table


@contextlib.contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """Make a PostgreSQL database, give its URL, and drop it when the block ends."""
    name = f"test_{secrets.token_hex(8)}"
    server = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        server.dispose()


def emptied(engine: Engine) -> Engine:
    """Empty every table and let numbers begin at 1 again."""
    names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
    return engine


def employ(connection: Connection, role: Role, *, login: str | None = None) -> Account:
    """Add someone whose password is ``secret``."""
    name = login or role.value
    return create_account(connection, login=name, name=name.title(), role=role, password="secret", now_ns=0)
