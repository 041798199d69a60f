"""The tables of work orders."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from alarms.tables import alarm_episode
from facility.storage.database import metadata
from people.tables import account
from workorders.lifecycle import TERMINAL

work_order = Table(
    "work_order",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("title", JSON, nullable=False),  # {"en": …, "zh": …}, as the template said
    Column("priority", Integer, nullable=False),
    Column("asset_id", String(64), nullable=False, index=True),
    Column("correlation_key", String(200)),  # null: planned work
    Column("life_safety", Boolean, nullable=False),
    Column("opened_at_ns", BigInteger, nullable=False),
    Column("assignee_id", Integer, ForeignKey(account.c.id)),  # null: nobody has it
    Column("assignee", String(200)),
    Column("started_at_ns", BigInteger),
    Column("completed_at_ns", BigInteger),
    Column("plan", String(64)),  # null: an alarm asked for it
    Column("due_key", BigInteger),
    Column("source", String),
    Column("remark", String),
    UniqueConstraint("asset_id", "plan", "due_key"),
    sqlite_autoincrement=True,  # people say the number on the phone; it is never given twice
)

_unfinished = work_order.c.state.not_in(sorted(state.value for state in TERMINAL))

Index(
    "uq_work_order_unfinished_correlation_key",
    work_order.c.correlation_key,
    unique=True,
    sqlite_where=_unfinished,
    postgresql_where=_unfinished,
)
"""At most one unfinished order for one failure, however often its alarm is raised or delivered."""

Index("ix_work_order_urgency", work_order.c.priority, work_order.c.opened_at_ns)

work_order_alarm = Table(
    "work_order_alarm",
    metadata,
    Column("alarm_id", Integer, ForeignKey(alarm_episode.c.id), primary_key=True),  # an episode has at most one order
    Column("order_id", Integer, ForeignKey(work_order.c.id), nullable=False, index=True),
)

work_order_step = Table(
    "work_order_step",
    metadata,
    Column("order_id", Integer, ForeignKey(work_order.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("text", JSON, nullable=False),  # {"en": …, "zh": …}, as the template said
    Column("mandatory", Boolean, nullable=False),
    Column("done", Boolean, nullable=False),
    Column("done_by", String(200)),
    Column("done_at_ns", BigInteger),
)
