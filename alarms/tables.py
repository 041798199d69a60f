"""The table of alarm episodes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table

from facility.storage.database import metadata

alarm_episode = Table(
    "alarm_episode",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("rule_id", Integer, nullable=False),
    Column("asset_id", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("acknowledged", Boolean, nullable=False),
    Column("latched", Boolean, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("value", Float),  # null: no data
    Column("limit", Float),  # null: nothing to hold it against
    Column("explanation", String, nullable=False, server_default=""),
    Column("since_ns", BigInteger, nullable=False),
    Column("raised_at_ns", BigInteger, nullable=False),
    Column("cleared_at_ns", BigInteger),  # null: the condition is true
    Column("acknowledged_at_ns", BigInteger),  # null: nobody has seen it as it is now
    Column("acknowledged_by", String(200)),
    Column("comment", String),
    Column("closed_at_ns", BigInteger),  # null: the episode is open
    sqlite_autoincrement=True,  # an id names its episode for ever, also after retention removed it
)

Index(
    "uq_alarm_episode_open_rule",
    alarm_episode.c.rule_id,
    unique=True,
    sqlite_where=alarm_episode.c.closed_at_ns.is_(None),
    postgresql_where=alarm_episode.c.closed_at_ns.is_(None),
)
"""The rule of rules: one open episode per rule, whatever is delivered twice."""

Index("ix_alarm_episode_urgency", alarm_episode.c.priority, alarm_episode.c.raised_at_ns.desc())
