"""Parts of statements that every stage's repository needs, for SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeVar

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite

Key = TypeVar("Key", int, str)

MOST_KEYS = 10_000
"""Keys in one IN list; SQLite takes 32,766 parameters in a statement and PostgreSQL 65,535."""


def insert_if_absent(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that skips a row which any unique index of the table already holds.

    With ``returning`` it gives only the rows that were really inserted.
    """
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def new_ids(connection: Connection, table: Table, count: int) -> range:
    """Reserve so many primary keys of a table with a growing integer ``id``, in one question instead of one per row.

    Nobody else gets them, since a database has one unit of work at a time.
    """
    if connection.dialect.name == "postgresql":
        sequence = text("SELECT setval(s, nextval(s) + :more) FROM pg_get_serial_sequence(:table, 'id') AS s")
        last = connection.execute(sequence, {"table": table.name, "more": count - 1}).scalar_one()
    else:
        last = (connection.scalar(_SQLITE_SEQUENCE, {"table": table.name}) or 0) + count
    return range(last - count + 1, last + 1)


_SQLITE_SEQUENCE = text("SELECT seq FROM sqlite_sequence WHERE name = :table")


def in_parts(keys: Collection[Key]) -> Iterator[list[Key]]:
    """Give the distinct keys in ascending order, in lists short enough for one IN."""
    ordered = sorted(set(keys))
    for start in range(0, len(ordered), MOST_KEYS):
        yield ordered[start : start + MOST_KEYS]
