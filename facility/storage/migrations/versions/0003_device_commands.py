"""Commands to devices, and which points of an asset they may go to.

Revision 0003, after 0002; made 2026-11-22 21:00:00.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UNDER_WAY = "state IN ('expiring', 'failing', 'requested', 'returning', 'sent')"
HOLDING = "state = 'confirmed'"


def upgrade() -> None:
    op.add_column("asset", sa.Column("commands", sa.JSON(), server_default="[]", nullable=False))
    op.create_table(
        "device_command",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("point_key", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("release", sa.String(length=16), nullable=False),
        sa.Column("safe", sa.Float(), nullable=True),
        sa.Column("tolerance", sa.Float(), nullable=False),
        sa.Column("confirm_s", sa.Float(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("requested_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("shown", sa.Float(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("ended_at_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["author_id"], ["account.id"], name=op.f("fk_device_command_author_id")),
        sa.ForeignKeyConstraint(["point_key"], ["point.key"], name=op.f("fk_device_command_point_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_command")),
        sa.UniqueConstraint("request_id", name=op.f("uq_device_command_request_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("device_command") as batch:
        batch.create_index(op.f("ix_device_command_asset_id"), ["asset_id"])
        batch.create_index("ix_device_command_requested_at_ns", ["requested_at_ns"])
        for name, condition in (("uq_device_command_under_way", UNDER_WAY), ("uq_device_command_holding", HOLDING)):
            where = sa.text(condition)
            batch.create_index(name, ["point_key"], unique=True, sqlite_where=where, postgresql_where=where)
