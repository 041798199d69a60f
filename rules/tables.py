"""The tables of the rules' live state and of what they learned."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Double, ForeignKey, Integer, String, Table, Text

from facility.storage.database import metadata

rule_state = Table(
    "rule_state",
    metadata,
    Column("owner", String(200), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("fingerprint", String(16), nullable=False),
    Column("phase", Integer, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("began_ns", BigInteger),
    Column("seen_ns", BigInteger, nullable=False),
    Column("value", Double),
    Column("priority", Integer, nullable=False),
)
"""One line per row of the kernel that was ever other than normal; NULL in ``value`` stands for NaN."""

rule_baseline = Table(
    "rule_baseline",
    metadata,
    Column("rule_id", ForeignKey("rule.id"), primary_key=True),
    Column("fingerprint", String(16), primary_key=True),
    Column("model", JSON(none_as_null=True)),
    Column("rows_used", Integer, nullable=False),
    Column("fitted_at_ns", BigInteger, nullable=False),
    Column("problem", Text, nullable=False),
)
"""One line per rule and good period that was ever learned from; NULL in ``model``: nothing was learned yet, and
``problem`` says why."""
