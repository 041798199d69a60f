"""The table of the rules' live state."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, String, Table

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
