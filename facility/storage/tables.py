"""Tables of the facility: what a site consists of, who changed it, and what its devices reported as events.

Nothing of a site is ever deleted, because history, alarms and orders refer to it: what the site file no longer names
gets a ``retired_ns`` and, if it comes back, its old key.
"""

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
    true,
)

from facility.storage.database import metadata

ID = String(64)
EVENT_ID_LENGTH = 128

site = Table(
    "site",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", JSON, nullable=False),
    Column("time_zone", String(64), nullable=False),
    # Whole; null: the shipped one, whichever version of Watchkeeper runs.
    Column("priority_matrix", JSON(none_as_null=True)),
    Column("holidays", JSON, nullable=False, server_default="{}"),
)

space = Table(
    "space",
    metadata,
    Column("id", ID, primary_key=True),
    Column("site_id", ForeignKey("site.id"), nullable=False),
    Column("name", JSON, nullable=False),
    Column("kind", String(16), nullable=False),
    # Deferred, so that a child may be written before its parent.
    Column("parent_id", ForeignKey("space.id", deferrable=True, initially="DEFERRED")),
    Column("position", Integer, nullable=False),
    Column("retired_ns", BigInteger),
)

connection = Table(
    "connection",
    metadata,
    Column("id", ID, primary_key=True),
    Column("site_id", ForeignKey("site.id"), nullable=False),
    Column("protocol", String(16), nullable=False),
    # As people wrote them, with references to the environment: no secret ever stands here.
    Column("host", String(255), nullable=False),
    Column("port", String(255), nullable=False),
    Column("options", JSON, nullable=False),
    Column("position", Integer, nullable=False),
    Column("retired_ns", BigInteger),
)

asset = Table(
    "asset",
    metadata,
    Column("id", ID, primary_key=True),
    Column("site_id", ForeignKey("site.id"), nullable=False),
    Column("name", JSON, nullable=False),
    Column("class_name", String(64), nullable=False),
    # Its class's, kept for the day when the asset is retired and no class has the name any more.
    Column("system", String(16), nullable=False),
    Column("space_id", ForeignKey("space.id"), nullable=False),
    Column("parent_id", ForeignKey("asset.id", deferrable=True, initially="DEFERRED")),
    Column("connection_id", ForeignKey("connection.id"), nullable=False),
    Column("profile", String(128), nullable=False),
    Column("address", JSON, nullable=False),
    # Names of the points that people may command.
    Column("commands", JSON, nullable=False, server_default="[]"),
    Column("position", Integer, nullable=False),
    Column("retired_ns", BigInteger),
)

point = Table(
    "point",
    metadata,
    Column("key", Integer, primary_key=True),
    Column("asset_id", ForeignKey("asset.id"), nullable=False),
    Column("name", String(64), nullable=False),
    # Its class's, kept for the day when the class has lost the point.
    Column("definition", JSON, nullable=False),
    Column("position", Integer, nullable=False),
    Column("retired_ns", BigInteger),
    UniqueConstraint("asset_id", "name"),
)

rule = Table(
    "rule",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("asset_id", ForeignKey("asset.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("point_key", ForeignKey("point.key"), nullable=False),
    # The live one; of a rule that is off, what it was last.
    Column("definition", JSON, nullable=False),
    # Grows by one with every decision about the rule; a proposal names the one that it builds on.
    Column("revision", Integer, nullable=False, server_default="1"),
    # True: what is live is what the site file last said. False: somebody decided otherwise since.
    Column("follows_file", Boolean, nullable=False, server_default=true()),
    # What the site file last said, where the live rule does not follow it; null: it does not have the rule.
    Column("file_definition", JSON(none_as_null=True)),
    Column("position", Integer, nullable=False),
    # Null: it is on.
    Column("retired_ns", BigInteger),
    UniqueConstraint("asset_id", "name"),
)

device_event = Table(
    "device_event",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("point_key", ForeignKey("point.key"), nullable=False),
    # The device's own identity of the event; a repeated delivery meets the constraint and is ignored.
    Column("event_id", String(EVENT_ID_LENGTH), nullable=False),
    Column("source_time_ns", BigInteger, nullable=False),
    Column("gateway_time_ns", BigInteger, nullable=False),
    Column("code", Integer, nullable=False),
    Column("text", JSON, nullable=False),
    UniqueConstraint("point_key", "event_id"),
    Index(None, "point_key", "source_time_ns"),
)

configuration_change = Table(
    "configuration_change",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("author", String(128), nullable=False),
    Column("reason", String(1000), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("entity", String(160), nullable=False),
    # Null before the first version, and after it was retired.
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Index(None, "kind", "entity"),
)
"""The journal of the configuration: every change has an author, a time and a reason."""
