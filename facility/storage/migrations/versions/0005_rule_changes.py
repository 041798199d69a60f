"""Rules as versioned data: changes that are proposed and reviewed, and what the site file says beside what is live.

Revision 0005, after 0006; made 2026-11-27 10:00:00.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rule", sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
    op.add_column("rule", sa.Column("follows_file", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("rule", sa.Column("file_definition", sa.JSON(), nullable=True))
    op.create_table(
        "rule_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("proposed_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("reviewer", sa.String(length=200), nullable=True),
        sa.Column("comment", sa.String(), nullable=True),
        sa.Column("decided_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["account.id"], name=op.f("fk_rule_change_author_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_change")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "rule_revision",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=True),
        sa.Column("asset_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("base", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("restores", sa.Integer(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("definition", sa.JSON(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_rule_revision_asset_id")),
        sa.ForeignKeyConstraint(["change_id"], ["rule_change.id"], name=op.f("fk_rule_revision_change_id")),
        sa.ForeignKeyConstraint(["rule_id"], ["rule.id"], name=op.f("fk_rule_revision_rule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_revision")),
        sa.UniqueConstraint("change_id", "asset_id", "name", name=op.f("uq_rule_revision_change_id_asset_id_name")),
        sa.UniqueConstraint("rule_id", "number", name=op.f("uq_rule_revision_rule_id_number")),
    )
    with op.batch_alter_table("rule_change") as batch:
        batch.create_index(op.f("ix_rule_change_state"), ["state"])
