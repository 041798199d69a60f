"""What becomes of alarms and orders when the site file no longer names their rule or asset."""

from __future__ import annotations

import structlog
from sqlalchemy import Connection

from alarms.service import retire
from facility.model import Facility
from rules.repository import forget_removed_rules
from workorders.service import note_retired_alarms

log = structlog.get_logger(__name__)


def retire_what_is_gone(connection: Connection, facility: Facility, *, now_ns: int) -> None:
    """Close the alarms of rules that the facility no longer has, in the caller's transaction.

    Their orders stay as they are, with a line in the journal: someone may be on the way already, and only a person
    knows whether the work is still wanted. Doing it again changes nothing.
    """
    closed = retire(connection, facility, now_ns=now_ns)
    orders = note_retired_alarms(connection, closed, now_ns=now_ns)
    forget_removed_rules(connection, facility.rules.keys())
    if closed:
        log.info(
            "closed the alarms of removed rules; decide about their orders", alarms=len(closed), orders=len(orders)
        )
