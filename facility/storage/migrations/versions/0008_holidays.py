"""What a site says of its holidays.

Revision 0008, after 0007; made 2026-11-27 11:15:00.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("site", sa.Column("holidays", sa.JSON(), server_default="{}", nullable=False))
