"""Modbus is one protocol with several transports, so its name no longer says TCP.

Revision 0002, after 0001; made 2026-11-22 20:35:00.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE connection SET protocol = 'modbus' WHERE protocol = 'modbus-tcp'")
