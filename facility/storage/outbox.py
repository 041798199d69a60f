"""The outbox: what changed, in commit order, for whoever tells the world about it.

A row is written in the same transaction as the change it announces, so an announcement is lost only if the change is.
Positions grow by commit, because a database has one unit of work at a time (:mod:`facility.storage.database`): no
reader can pass a position that is still to come.
It names the thing and not its state: the reader loads the newest state, and many changes to one thing fold into one
message.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, delete, func, insert, select

from facility.storage.database import metadata


class Topic(StrEnum):
    """What kind of thing changed."""

    ALARM = "alarm"
    WORK_ORDER = "work_order"
    COMMAND = "command"
    RULE_CHANGE = "rule_change"


class Announcement(NamedTuple):
    """One changed thing."""

    seq: int
    """Position in the outbox, growing by commit."""
    topic: Topic
    entity_id: int
    at_ns: int


outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("topic", String(32), nullable=False),
    Column("entity_id", Integer, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)


def announce(connection: Connection, topic: Topic, entity_ids: Iterable[int], at_ns: int) -> None:
    """Append one row per changed thing to the caller's transaction."""
    rows = [{"topic": topic.value, "entity_id": entity_id, "at_ns": at_ns} for entity_id in entity_ids]
    if rows:
        connection.execute(insert(outbox), rows)


def announcements_after(connection: Connection, seq: int, limit: int = 1000) -> list[Announcement]:
    """Return the announcements behind ``seq``, oldest first."""
    rows = connection.execute(select(outbox).where(outbox.c.seq > seq).order_by(outbox.c.seq).limit(limit))
    return [Announcement(row.seq, Topic(row.topic), row.entity_id, row.at_ns) for row in rows]


def last_seq(connection: Connection) -> int:
    """Return the newest position, 0 when nothing was ever announced."""
    return connection.scalar(select(func.max(outbox.c.seq))) or 0


def forget_before(connection: Connection, seq: int) -> None:
    """Remove announcements up to and including ``seq``, which every reader has seen."""
    connection.execute(delete(outbox).where(outbox.c.seq <= seq))
