"""The tables of accounts, sessions and the journal."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, String, Table

from facility.storage.database import metadata

LOGIN_LENGTH = 64

account = Table(
    "account",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("login", String(LOGIN_LENGTH), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("role", String(32), nullable=False),
    Column("password_hash", String(200), nullable=False),  # argon2id in its own PHC notation
    Column("created_at_ns", BigInteger, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("token_sha256", String(64), primary_key=True),  # the token itself is known to its browser alone
    Column("account_id", Integer, ForeignKey("account.id"), nullable=False, index=True),
    Column("created_at_ns", BigInteger, nullable=False),
    Column("expires_at_ns", BigInteger, nullable=False, index=True),
)

log_in_failure = Table(
    "log_in_failure",
    metadata,
    # By login and not by account: a login that does not exist is slowed down like one that does.
    Column("login", String(LOGIN_LENGTH), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at_ns", BigInteger, nullable=False, index=True),
    Column("retry_at_ns", BigInteger, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("subject", String(32), nullable=False),
    Column("subject_id", Integer, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("transition", String(64), nullable=False),
    Column("actor_login", String(LOGIN_LENGTH), nullable=False),
    Column("actor_name", String(200), nullable=False),
    Column("comment", String),  # null: nothing was said
    Column("evidence", JSON(none_as_null=True)),  # null: the transition speaks for itself
    Index("ix_journal_subject_subject_id", "subject", "subject_id"),
)
