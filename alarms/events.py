"""What alarms hand to work orders and the console."""

from __future__ import annotations

from dataclasses import dataclass

from facility.priority import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmEvent:
    """One row of the lifecycle table that was taken by one alarm episode."""

    alarm_id: int
    """The episode's primary key."""
    rule_id: int
    asset_id: str
    transition: str
    """The row's name in :mod:`alarms.lifecycle`."""
    opened: bool
    """True when this event began the episode."""
    closed: bool
    """True when this event ended it."""
    active: bool
    acknowledged: bool
    priority: Priority
    at_ns: int
