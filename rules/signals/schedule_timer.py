"""A schedule as something timed: 1 while it is open, 0 while it is closed."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from facility.conditions import Schedule
from facility.schedule import Calendar, is_open, next_change_ns
from rules import kernel


class ScheduleTimer:
    """Opens and closes by the site's clock."""

    inputs: Sequence[int] = ()
    look_back_ns = 0

    def __init__(self, schedule: Schedule, zone: ZoneInfo, calendar: Calendar) -> None:
        self.due_ns = kernel.NEVER
        self._schedule = schedule
        self._zone = zone
        self._calendar = calendar

    def begin(self, at_ns: int) -> float:
        """Return 1 if it is open."""
        change_ns = next_change_ns(self._schedule, self._zone, self._calendar, at_ns)
        self.due_ns = kernel.NEVER if change_ns is None else change_ns
        return float(is_open(self._schedule, self._zone, self._calendar, at_ns))

    def reach(self, at_ns: int, values: Sequence[float]) -> float:  # noqa: ARG002  # as the protocol wants it
        """Return 1 if it is open from now on."""
        return self.begin(at_ns)
