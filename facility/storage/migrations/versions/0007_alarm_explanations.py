"""What made an alarm's condition true, in words.

Revision 0007, after 0005; made 2026-11-27 10:00:00.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alarm_episode", sa.Column("explanation", sa.String(), server_default="", nullable=False))
