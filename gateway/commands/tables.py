"""The table of commands."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table

from facility.storage.database import metadata
from facility.storage.tables import point
from gateway.commands.lifecycle import IN_FLIGHT, RELEASING, CommandState
from people.tables import account

REQUEST_ID_LENGTH = 64
REASON_LENGTH = 2000

device_command = Table(
    "device_command",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("request_id", String(REQUEST_ID_LENGTH), nullable=False, unique=True),
    Column("point_key", Integer, ForeignKey(point.c.key), nullable=False),
    Column("asset_id", String(64), nullable=False, index=True),
    Column("value", Float, nullable=False),
    Column("priority", Integer, nullable=False),
    # How to take it back and what counts as shown, as the profile said when it was asked for.
    Column("release", String(16), nullable=False),
    Column("safe", Float),  # null: nothing is written, or BACnet's Null
    Column("tolerance", Float, nullable=False),
    Column("confirm_s", Float, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(REASON_LENGTH), nullable=False),
    Column("author_id", Integer, ForeignKey(account.c.id), nullable=False),
    Column("author", String(200), nullable=False),
    Column("requested_at_ns", BigInteger, nullable=False),
    Column("expires_at_ns", BigInteger, nullable=False),
    Column("shown", Float),  # null: the device has shown nothing yet
    Column("detail", String),  # null: it is as it should be
    Column("ended_at_ns", BigInteger),  # null: it has not ended
    sqlite_autoincrement=True,  # an id names its command for ever
)

_under_way = device_command.c.state.in_(sorted(state.value for state in IN_FLIGHT | RELEASING))
_holding = device_command.c.state == CommandState.CONFIRMED.value

Index(
    "uq_device_command_under_way",
    device_command.c.point_key,
    unique=True,
    sqlite_where=_under_way,
    postgresql_where=_under_way,
)
"""One command at a time is on its way to or from a point."""

Index(
    "uq_device_command_holding",
    device_command.c.point_key,
    unique=True,
    sqlite_where=_holding,
    postgresql_where=_holding,
)
"""One command at a time holds a point."""

Index("ix_device_command_requested_at_ns", device_command.c.requested_at_ns)
