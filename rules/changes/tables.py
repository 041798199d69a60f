"""The tables of changes to rules; the live definitions stand in :data:`facility.storage.tables.rule`."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, String, Table, UniqueConstraint

from facility.storage.database import metadata

rule_change = Table(
    "rule_change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("source", String(16), nullable=False),
    Column("reason", String(2000), nullable=False),
    Column("author_id", Integer, ForeignKey("account.id")),  # null: Watchkeeper itself, as when it starts
    Column("author", String(200), nullable=False),
    Column("proposed_at_ns", BigInteger, nullable=False),
    Column("reviewer", String(200)),  # null: nobody has decided, or nobody had to
    Column("comment", String),
    Column("decided_at_ns", BigInteger),  # null: nobody has decided
    Column("size", Integer, nullable=False),  # revisions in it
    sqlite_autoincrement=True,
)

rule_revision = Table(
    "rule_revision",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("change_id", Integer, ForeignKey("rule_change.id"), nullable=False),
    Column("rule_id", Integer, ForeignKey("rule.id")),  # null: a new rule that is not live yet
    Column("asset_id", String(64), ForeignKey("asset.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("base", Integer, nullable=False),  # the rule's revision that it builds on; 0: there was no such rule
    Column("number", Integer),  # null: it was never live
    Column("restores", Integer),  # number of the earlier revision that a roll-back names
    # What was live before and what is live with it; null: the rule is off.
    Column("before", JSON(none_as_null=True)),
    Column("definition", JSON(none_as_null=True)),
    Column("note", String),  # why Watchkeeper decided so by itself; null: a person did
    UniqueConstraint("change_id", "asset_id", "name"),
    UniqueConstraint("rule_id", "number"),
)
