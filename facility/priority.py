"""How urgent an alarm is."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """Alarm priority, 1 the most urgent; priority 1 wants a comment when it is acknowledged."""

    CRITICAL = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4
