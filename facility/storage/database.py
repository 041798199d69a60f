"""The SQL database: SQLite by default, PostgreSQL by URL, always through SQLAlchemy Core."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, create_engine, event

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every stage's ``tables.py`` adds its tables here, so one migration environment sees them all."""


def open_database(url: str) -> Engine:
    """Open a database by SQLAlchemy URL, such as ``sqlite:///watchkeeper.db`` or ``postgresql+psycopg://…``.

    Use ``with engine.begin() as connection`` for a unit of work and :func:`reading` for a query. A unit of work is the
    only one in its database from beginning to end: it takes the write lock when it begins. So none fails half-way into
    becoming a writer, none waits for another in a circle, and the order of what they write is the order of their
    commits. Keep it short: whatever takes long happens before.
    """
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_on_sqlite)
    else:
        event.listen(engine, "begin", _begin_on_postgresql)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, so it sees one instant and keeps no writer waiting."""
    with engine.connect() as connection:
        connection.execution_options(read_only=True)
        if engine.dialect.name == "postgresql":  # whose own default sees another instant with every statement
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


_WRITE_LOCK = 0x57_4B
"""PostgreSQL's number of the write lock: any constant of our own; "WK"."""


_PATIENCE_S = 10.0
"""Wall seconds that a connection waits for another's lock."""
_LOOK_AGAIN_S = 0.01


def _configure_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  # sqlite3's, before SQLAlchemy's types
    connection.isolation_level = None  # SQLAlchemy's BEGIN below is the only one
    connection.execute(f"PRAGMA busy_timeout={_PATIENCE_S * 1000:.0f}")
    _keep_a_write_ahead_log(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _keep_a_write_ahead_log(connection: Any) -> None:  # noqa: ANN401  # as above
    """Switch a new file to its log; for this one lock SQLite does not wait by itself, and several may come at once."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(_LOOK_AGAIN_S)
        else:
            return


def _begin_on_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if _only_reads(connection) else "BEGIN IMMEDIATE")


def _begin_on_postgresql(connection: Connection) -> None:
    if not _only_reads(connection):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")


def _only_reads(connection: Connection) -> bool:
    read_only: bool = connection.get_execution_options().get("read_only", False)
    return read_only
