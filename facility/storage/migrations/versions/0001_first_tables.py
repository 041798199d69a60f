"""first tables.

Revision 0001, after ; made 2026-11-22 18:02:31.279934.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("created_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("login", name=op.f("uq_account_login")),
    )
    op.create_table(
        "alarm_episode",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("acknowledged", sa.Boolean(), nullable=False),
        sa.Column("latched", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("limit", sa.Float(), nullable=True),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("raised_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("cleared_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=200), nullable=True),
        sa.Column("comment", sa.String(), nullable=True),
        sa.Column("closed_at_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_episode")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("alarm_episode", schema=None) as batch_op:
        batch_op.create_index(
            "ix_alarm_episode_urgency", ["priority", sa.literal_column("raised_at_ns DESC")], unique=False
        )
        batch_op.create_index(
            "uq_alarm_episode_open_rule",
            ["rule_id"],
            unique=True,
            sqlite_where=sa.text("closed_at_ns IS NULL"),
            postgresql_where=sa.text("closed_at_ns IS NULL"),
        )

    op.create_table(
        "configuration_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("entity", sa.String(length=160), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_configuration_change")),
    )
    with op.batch_alter_table("configuration_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_configuration_change_kind_entity"), ["kind", "entity"], unique=False)

    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("transition", sa.String(length=64), nullable=False),
        sa.Column("actor_login", sa.String(length=64), nullable=False),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("comment", sa.String(), nullable=True),
        sa.Column("evidence", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
    )
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.create_index("ix_journal_subject_subject_id", ["subject", "subject_id"], unique=False)

    op.create_table(
        "log_in_failure",
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("retry_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_log_in_failure")),
    )
    with op.batch_alter_table("log_in_failure", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_log_in_failure_last_at_ns"), ["last_at_ns"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "rule_state",
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("began_ns", sa.BigInteger(), nullable=True),
        sa.Column("seen_ns", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "row", name=op.f("pk_rule_state")),
    )
    op.create_table(
        "site",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
    )
    op.create_table(
        "connection",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port", sa.String(length=255), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_connection_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
    )
    op.create_table(
        "session",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("created_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_session_account_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_session")),
    )
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_session_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_session_expires_at_ns"), ["expires_at_ns"], unique=False)

    op.create_table(
        "space",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["space.id"], name=op.f("fk_space_parent_id"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_space_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space")),
    )
    op.create_table(
        "work_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("title", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("correlation_key", sa.String(length=200), nullable=True),
        sa.Column("life_safety", sa.Boolean(), nullable=False),
        sa.Column("opened_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("assignee_id", sa.Integer(), nullable=True),
        sa.Column("assignee", sa.String(length=200), nullable=True),
        sa.Column("started_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("completed_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("plan", sa.String(length=64), nullable=True),
        sa.Column("due_key", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("remark", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["assignee_id"], ["account.id"], name=op.f("fk_work_order_assignee_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work_order")),
        sa.UniqueConstraint("asset_id", "plan", "due_key", name=op.f("uq_work_order_asset_id_plan_due_key")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("work_order", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_work_order_asset_id"), ["asset_id"], unique=False)
        batch_op.create_index("ix_work_order_urgency", ["priority", "opened_at_ns"], unique=False)
        batch_op.create_index(
            "uq_work_order_unfinished_correlation_key",
            ["correlation_key"],
            unique=True,
            sqlite_where=sa.text("(state NOT IN ('cancelled', 'completed'))"),
            postgresql_where=sa.text("(state NOT IN ('cancelled', 'completed'))"),
        )

    op.create_table(
        "asset",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.JSON(), nullable=False),
        sa.Column("class_name", sa.String(length=64), nullable=False),
        sa.Column("system", sa.String(length=16), nullable=False),
        sa.Column("space_id", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("connection_id", sa.String(length=64), nullable=False),
        sa.Column("profile", sa.String(length=128), nullable=False),
        sa.Column("address", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_asset_connection_id")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["asset.id"], name=op.f("fk_asset_parent_id"), initially="DEFERRED", deferrable=True
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_asset_site_id")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_asset_space_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
    )
    op.create_table(
        "work_order_alarm",
        sa.Column("alarm_id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarm_episode.id"], name=op.f("fk_work_order_alarm_alarm_id")),
        sa.ForeignKeyConstraint(["order_id"], ["work_order.id"], name=op.f("fk_work_order_alarm_order_id")),
        sa.PrimaryKeyConstraint("alarm_id", name=op.f("pk_work_order_alarm")),
    )
    with op.batch_alter_table("work_order_alarm", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_work_order_alarm_order_id"), ["order_id"], unique=False)

    op.create_table(
        "work_order_step",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.JSON(), nullable=False),
        sa.Column("mandatory", sa.Boolean(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("done_by", sa.String(length=200), nullable=True),
        sa.Column("done_at_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["work_order.id"], name=op.f("fk_work_order_step_order_id")),
        sa.PrimaryKeyConstraint("order_id", "number", name=op.f("pk_work_order_step")),
    )
    op.create_table(
        "point",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_point_asset_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_point")),
        sa.UniqueConstraint("asset_id", "name", name=op.f("uq_point_asset_id_name")),
    )
    op.create_table(
        "device_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("point_key", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(length=128), nullable=False),
        sa.Column("source_time_ns", sa.BigInteger(), nullable=False),
        sa.Column("gateway_time_ns", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("text", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["point_key"], ["point.key"], name=op.f("fk_device_event_point_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_event")),
        sa.UniqueConstraint("point_key", "event_id", name=op.f("uq_device_event_point_key_event_id")),
    )
    with op.batch_alter_table("device_event", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_device_event_point_key_source_time_ns"), ["point_key", "source_time_ns"], unique=False
        )

    op.create_table(
        "rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("point_key", sa.Integer(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("retired_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_rule_asset_id")),
        sa.ForeignKeyConstraint(["point_key"], ["point.key"], name=op.f("fk_rule_point_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule")),
        sa.UniqueConstraint("asset_id", "name", name=op.f("uq_rule_asset_id_name")),
    )


def downgrade() -> None:
    op.drop_table("rule")
    with op.batch_alter_table("device_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_device_event_point_key_source_time_ns"))

    op.drop_table("device_event")
    op.drop_table("point")
    op.drop_table("work_order_step")
    with op.batch_alter_table("work_order_alarm", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_work_order_alarm_order_id"))

    op.drop_table("work_order_alarm")
    op.drop_table("asset")
    with op.batch_alter_table("work_order", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_work_order_unfinished_correlation_key",
            sqlite_where=sa.text("(state NOT IN ('cancelled', 'completed'))"),
            postgresql_where=sa.text("(state NOT IN ('cancelled', 'completed'))"),
        )
        batch_op.drop_index("ix_work_order_urgency")
        batch_op.drop_index(batch_op.f("ix_work_order_asset_id"))

    op.drop_table("work_order")
    op.drop_table("space")
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_session_expires_at_ns"))
        batch_op.drop_index(batch_op.f("ix_session_account_id"))

    op.drop_table("session")
    op.drop_table("connection")
    op.drop_table("site")
    op.drop_table("rule_state")
    op.drop_table("outbox")
    with op.batch_alter_table("log_in_failure", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_log_in_failure_last_at_ns"))

    op.drop_table("log_in_failure")
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.drop_index("ix_journal_subject_subject_id")

    op.drop_table("journal")
    with op.batch_alter_table("configuration_change", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_configuration_change_kind_entity"))

    op.drop_table("configuration_change")
    with op.batch_alter_table("alarm_episode", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_alarm_episode_open_rule",
            sqlite_where=sa.text("closed_at_ns IS NULL"),
            postgresql_where=sa.text("closed_at_ns IS NULL"),
        )
        batch_op.drop_index("ix_alarm_episode_urgency")

    op.drop_table("alarm_episode")
    op.drop_table("account")
