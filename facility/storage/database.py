"""The SQL database: SQLite by default, PostgreSQL by URL, always through SQLAlchemy Core."""

from __future__ import annotations

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

    Use ``with engine.begin() as connection`` for a unit of work and :func:`reading` for a query. On SQLite a unit of
    work takes the write lock when it begins, so it never fails half-way into becoming a writer.
    """
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, so it sees one instant and keeps no writer waiting."""
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        yield connection


def _configure_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  # sqlite3's, before SQLAlchemy's types
    connection.isolation_level = None  # SQLAlchemy's BEGIN below is the only one
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
