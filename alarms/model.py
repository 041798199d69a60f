"""An alarm episode as the console and work orders see it."""

from __future__ import annotations

from dataclasses import dataclass

from alarms.lifecycle import AlarmState, Letter, isa_letter
from facility.priority import Priority
from rules.events import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One episode of one rule: from the first raise until it is over and, where wanted, seen and reset."""

    id: int
    version: int
    """Grows by one with every change; a command names the version that its person saw."""
    rule_id: int
    asset_id: str
    priority: Priority
    """Of the most urgent limit exceeded now, or last while it was active."""
    active: bool
    acknowledged: bool
    latched: bool
    reason: Reason
    """Why it was last raised, escalated or eased."""
    value: float | None
    """The value that decided so, in the point's unit; ``None`` for missing data."""
    limit: float | None
    """The limit, state code or seconds it was held against."""
    explanation: str = ""
    """What made it so, in words; empty where value and limit say it all."""
    since_ns: int
    """When the condition began, before any delay."""
    raised_at_ns: int
    """When the episode began."""
    cleared_at_ns: int | None = None
    """When the condition last went away; ``None`` while it is active, and for ever if its rule was removed first."""
    acknowledged_at_ns: int | None = None
    """``None`` until someone has seen it, and again after it came back or became more urgent."""
    acknowledged_by: str | None = None
    """Name of who has seen it."""
    comment: str | None = None
    """What they said about it."""
    closed_at_ns: int | None = None
    """When the episode ended; ``None`` while it is open."""

    @property
    def lifecycle(self) -> AlarmState:
        """Return where it stands, for the table."""
        return AlarmState(self.active, self.acknowledged, self.latched)

    @property
    def state(self) -> Letter:
        """Return the ISA-18.2 letter, or L for latched."""
        return isa_letter(self.lifecycle)
