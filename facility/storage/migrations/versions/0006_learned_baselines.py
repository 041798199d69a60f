"""What rules learned from good periods.

Revision 0006, after 0004; made 2026-11-27 14:00:00.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_baseline",
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("model", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("rows_used", sa.Integer(), nullable=False),
        sa.Column("fitted_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["rule.id"], name=op.f("fk_rule_baseline_rule_id")),
        sa.PrimaryKeyConstraint("rule_id", "fingerprint", name=op.f("pk_rule_baseline")),
    )
