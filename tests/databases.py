"""Databases with every table of people, alarms and work orders, for tests of those stages."""

from __future__ import annotations

from sqlalchemy import Connection, Engine

import workorders.tables  # and with it the tables of alarms, people and the outbox
from facility.storage.database import metadata
from people.model import Account, Role
from people.service import create_account

TABLES = [
    metadata.tables[name]
    for name in (
        "outbox",
        "account",
        "session",
        "log_in_failure",
        "journal",
        "alarm_episode",
        workorders.tables.work_order.name,
        workorders.tables.work_order_alarm.name,
        workorders.tables.work_order_step.name,
    )
]


def make_tables(engine: Engine) -> None:
    """Make the tables in an empty database."""
    metadata.create_all(engine, tables=TABLES)


def employ(connection: Connection, role: Role, *, login: str | None = None) -> Account:
    """Add someone whose password is ``secret``."""
    name = login or role.value
    return create_account(connection, login=name, name=name.title(), role=role, password="secret", now_ns=0)
